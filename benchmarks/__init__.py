"""What the governor and the client cost, beside what others cost in the same run: `python -m benchmarks`."""
