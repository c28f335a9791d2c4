"""Looking after the store: pruning, verifying, repairing, background work."""
