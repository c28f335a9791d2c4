"""Environments: facts, skeletons, plans, and carrying them out."""
