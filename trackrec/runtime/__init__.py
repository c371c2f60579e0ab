"""One run of a job: its settings, its clock, its errors and exit code, what a person sees of it, its row in ``runs``."""
