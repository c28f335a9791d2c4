"""The suites on many interpreters: ``python -m tests.matrix --help``."""
