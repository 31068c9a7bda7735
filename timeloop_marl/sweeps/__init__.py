"""Many machines, or one machine with many settings: a matrix of runs, and what they cost."""
