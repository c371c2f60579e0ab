"""V judges: which users and events, what it is asked, and the preferences that its judgement makes."""
