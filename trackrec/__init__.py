"""trackrec: TrackRec (arXiv 2508.15388) on Spark, offline. Importing it loads no torch and no vLLM."""

__version__ = "0.2.0"
