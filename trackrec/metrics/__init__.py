"""Figures of a binary prediction, for the CTR model and for V alike: numpy and scikit-learn, nothing of trackrec."""
