"""Side-by-side measurements: `python -m benchmarks`, or some of its sections by name."""
