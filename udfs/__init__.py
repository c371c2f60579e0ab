"""What runs in Spark's Python workers: G, V and the encoder."""
