"""Adapters to the hosts: the only code that imports nox, tox or pytest."""
