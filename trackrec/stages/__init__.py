"""The stages of a night, each ``run(job)``: read tables, call the library, write tables, print one line."""
