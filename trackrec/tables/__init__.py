"""Every table: what it promises, how it is read and written with Spark (warehouse) and without (lake)."""
