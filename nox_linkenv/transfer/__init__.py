"""One archive of what was used of a store, and taking it into another."""
