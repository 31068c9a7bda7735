"""Many layers as one: layer lists, a sample budget for all of them together, totals."""
