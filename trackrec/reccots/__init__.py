"""What is asked of G, and what of its answers may be served."""
