"""Throwaway virtual environments for nox, tox and pytest, linked from one shared store of wheels.

PYTEST_DONT_REWRITE: the ``.pth`` hook may have imported this package before pytest looks for assertions to rewrite in
the packages of its plugins; it would warn in every run.
"""

# No "from __future__": the hook loads this in every start of an interpreter, and nothing else loads that module.
import sys

__version__ = "0.1.0"

if "nox.virtualenv" in sys.modules:  # imported by a noxfile: the backend is there from now on
    from nox_linkenv.plugins.nox import register

    register()
