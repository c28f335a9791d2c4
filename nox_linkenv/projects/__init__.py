"""Local projects: what they are built from, and building them."""
