"""One run of a job: settings, clock, errors and exit codes, what a person sees of it, and its row of ``runs``."""
