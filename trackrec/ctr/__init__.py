"""The CTR job: reads Delta without Spark, trains with and without features, and says what they are worth."""
