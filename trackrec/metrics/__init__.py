"""Figures of a binary prediction, for the CTR model and for V alike: no Spark, nothing else of trackrec."""
