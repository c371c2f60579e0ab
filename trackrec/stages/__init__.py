"""A file a job verb: the tables it reads, what it calls, the tables it writes. The only room that knows the others.

Five files are no verb but parts that several stages or jobs share: opening, inputs, worker_progress, teacher_texts and
new_version.
"""
