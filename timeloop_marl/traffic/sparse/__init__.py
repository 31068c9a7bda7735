"""Traffic of sparse designs: density models, formats, what is gated and skipped (docs/sparse.md)."""
