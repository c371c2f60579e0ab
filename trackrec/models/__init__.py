"""Where weights come from, which version they are, and how adapters are put on them."""
