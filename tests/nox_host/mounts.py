"""Small filesystems of memory for stores that are full or cannot be written."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["mounted", "remount"]


@contextmanager
def mounted(place: Path, options: str) -> Iterator[None]:
    """Mount a tmpfs at *place* for as long as the context lasts."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def remount(place: Path, options: str) -> None:
    """Change the options of what is mounted at *place*."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)
