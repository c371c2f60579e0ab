"""What a run wrote, shown to a person; reads Delta with deltalake, without Spark."""
