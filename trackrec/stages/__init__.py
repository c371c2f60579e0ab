"""A file a job verb: which tables it reads, what it calls, which tables it writes. The only room that knows the others."""
