"""Benchmarks of the nox backends: ``python -m benchmarks --help``."""
