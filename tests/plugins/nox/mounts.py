"""Small filesystems of memory for stores that are full or cannot be written."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


__all__ = ["bound", "mounted", "remount"]


@contextmanager
def mounted(place: Path, options: str) -> Iterator[None]:
    """Mount a tmpfs at *place* for as long as the context lasts."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        _patiently("umount", str(place))


@contextmanager
def bound(source: Path, place: Path, *, below: Path) -> Iterator[None]:
    """Mount the directory *source* at *place*, too, and unmount it wherever *below* that has been moved to."""
    subprocess.run(["mount", "--bind", str(source), str(place)], check=True)
    try:
        yield
    finally:
        targets = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for target in targets:
            if Path(target).is_relative_to(below):
                _patiently("umount", target)


def remount(place: Path, options: str) -> None:
    """Change the options of what is mounted at *place*."""
    _patiently("mount", "-o", f"remount,{options}", str(place))


def _patiently(*command: str) -> None:
    """Run a command, again and again for a minute: work in the background may still use the filesystem."""
    deadline = time.monotonic() + 60
    while (done := subprocess.run(command, check=False, capture_output=True, text=True)).returncode != 0:
        assert time.monotonic() < deadline, f"{command}: {done.stderr}"
        time.sleep(0.1)
