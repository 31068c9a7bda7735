"""What is compared: recorded rows, the real programs, Timeloop's mappers."""
