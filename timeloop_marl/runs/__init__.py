"""Run folders as things: found, listed, compared."""
