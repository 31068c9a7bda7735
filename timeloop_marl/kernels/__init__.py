"""How kernels are compiled: for the CPU, over vectors of mappings, for a GPU."""
