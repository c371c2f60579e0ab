"""CTR networks, a file each; ``interface`` says what such a file holds."""
