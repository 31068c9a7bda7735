"""Kernels over vectors of mappings: their own source, run once with symbols, becomes LLVM code of many lanes."""
