"""A file a job verb: the tables it reads, what it calls, the tables it writes. The only room that knows the others."""
