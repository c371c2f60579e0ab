"""Writers of the RecCoTs that G is distilled from."""
