"""Processes that work for a store."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["left_of", "remove"]


def left_of(store: Path) -> list[str]:
    """Return what has been left: processes of the *store*, and environments that were for a moment."""
    left = ["not looked"]
    limit = time.monotonic() + 60
    while left and time.monotonic() < limit:
        left = [path.name for path in (store / "v2" / "throwaway").glob("*")]
        left += [path.name for path in (store / "throwaway").glob("*")]
        left += [name for name in _commands() if str(store) in name]
        time.sleep(0.2)
    return left


def remove(directory: Path) -> None:
    """Remove a *directory* in which work in the background may still write for a moment."""
    limit = time.monotonic() + 60
    while True:
        try:
            shutil.rmtree(directory)
        except OSError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.2)
        else:
            return


def _commands() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_text(errors="replace").replace("\0", " ")
