"""What can be seen of a run while it goes on: snapshots on a terminal or in a notebook, a log, TensorBoard."""
