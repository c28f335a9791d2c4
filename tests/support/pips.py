"""Wheels of pip: those that cannot report what they would install, and those that can."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

from tests.support.environment import clean_environment
from tests.support.shared import once

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MUTE", "REPORTING", "old_pips"]

#: Without a report, or with one that is provisional.
MUTE: Final = ("9.0.3", "19.3.1", "20.3.4", "21.3.1", "22.1.2", "22.2.2", "22.3.1")
REPORTING: Final = ("23.0.1", "25.0.1")


def old_pips(shared_dir: Path) -> Path:
    """Return a directory with wheels of all of them, fetched once for all workers of a run."""
    return once(shared_dir / "pips", _download)


def _download(place: Path) -> None:
    for version in (*MUTE, *REPORTING):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--python-version", "3.9"]
        command += ["--only-binary", ":all:", "-d", str(place), f"pip=={version}"]
        done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
