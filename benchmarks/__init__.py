"""Speed and memory of the commands beside their peers: ``python -m benchmarks run`` writes docs/performance.md."""
