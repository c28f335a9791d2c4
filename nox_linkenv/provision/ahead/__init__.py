"""What is done for environments to come, while the one that is asked for now is made or used."""
