"""V judges: which users and events, what V reads, the preferences that follow, the hold-out, the loop's state."""
