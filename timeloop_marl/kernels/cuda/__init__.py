"""Kernels translated for a CUDA GPU."""
