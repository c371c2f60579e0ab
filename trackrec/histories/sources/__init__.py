"""Reading a team's logs: their tables in, clean frames of one contract out."""
