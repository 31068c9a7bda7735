"""Mutation fuzzer of the input reader; run as ``python -m tests.fuzz --mutants 20000``."""
