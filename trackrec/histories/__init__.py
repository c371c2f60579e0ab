"""A team's logs → as-of histories → prompts → labelled samples in time windows."""
