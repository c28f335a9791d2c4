"""Throwaway virtual environments for nox, tox and pytest, linked from one shared store of wheels."""

from __future__ import annotations

__version__ = "0.1.0"
