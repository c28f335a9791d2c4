"""Lock files (PEP 751) of what stands in environments, written from what pip answered when it was installed."""
