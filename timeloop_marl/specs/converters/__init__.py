"""Models of machine-learning frameworks to layer files: shapes only, no weights."""
