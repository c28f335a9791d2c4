"""Interpreters: finding them, and what is known of each."""
