"""A trace for benchmarks and tests: one JSON line for each thing done, in the file that ``LINKENV_TRACE`` names."""

from __future__ import annotations

import json
import os

__all__ = ["trace"]


def trace(event: str, **values: float | str) -> None:
    """Append *event* with *values* to the trace, if there is one."""
    path = os.environ.get("LINKENV_TRACE")
    if path:
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({"event": event, **values}) + "\n")
