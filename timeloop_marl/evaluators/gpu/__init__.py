"""The cost model and the learners' draws on a CUDA GPU, from the same sources as on the CPU ([gpu.md])."""
