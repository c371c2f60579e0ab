"""``make doctor``: what this machine lacks to run the pipeline, in plain words, with the remedy for each.

It runs before anything is installed: standard library only, and no syntax newer than Python 3.8, so that it can say
that another Python is needed.
"""
