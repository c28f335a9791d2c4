"""Throwaway virtual environments for nox, tox and pytest, linked from one shared store of wheels."""

from __future__ import annotations

import sys

__version__ = "0.1.0"

if "nox.virtualenv" in sys.modules:  # imported by a noxfile: the backend is there from now on
    from nox_linkenv.plugins.nox import register

    register()
