"""CTR networks, a file each."""
