"""Build backends of nothing but the standard library, for the projects that tests make (PEP 517, PEP 660)."""

from __future__ import annotations

import textwrap
from pathlib import Path

__all__ = ["IN_TREE", "backend_text"]

#: The table of a project whose backend is in its own tree and requires nothing.
IN_TREE = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def backend_text(hooks: str) -> str:
    """Return the text of a backend with *hooks*, which can call :mod:`tests.support.wheelwriter`'s functions."""
    return Path(__file__).with_name("wheelwriter.py").read_text(encoding="utf-8") + textwrap.dedent(hooks)
