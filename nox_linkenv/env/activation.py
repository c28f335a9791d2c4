"""The variables of an activated environment."""

from __future__ import annotations

import os

__all__ = ["activated"]


def activated(prefix: str) -> dict[str, str]:
    """Return this process's variables as in the activated environment at *prefix*."""
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "__PYVENV_LAUNCHER__")}
    environ["PATH"] = os.pathsep.join([f"{prefix}/bin", *filter(None, [environ.get("PATH")])])
    environ["VIRTUAL_ENV"] = prefix
    return environ
