"""Making an environment of plans: linking, writing, and taking over what stood there."""
