"""The optimum of a mapspace by branch and bound, with a proof or the gap that is still open (docs/optimal.md)."""
