"""Programs of other projects that are installed with the tests' own requirements."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

__all__ = ["program"]


def program(name: str) -> str:
    """Return the path of *name*: beside the tests' interpreter, whose directory need not be on PATH, or on PATH."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(name)
    assert found is not None, f"{name} is not installed: pip install --group test"
    return found
