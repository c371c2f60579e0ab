"""trackrec: TrackRec (arXiv 2508.15388) as an offline feature pipeline on Spark. Importing it loads no torch, no vLLM."""

__version__ = "0.1.0"
