"""The stages of the GPU benchmark (``benchmarks/gpu.py``), one per file."""
