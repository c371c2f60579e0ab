"""The requests to G, and what of its answers may be served."""
