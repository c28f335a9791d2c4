"""What all workers of a run share: made by one of them, once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock

from tests.support.environment import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ROOT", "Host", "make_host", "once", "run_checked"]

#: The project itself.
ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Host:
    """A nox, tox or pytest to be run: ``newest`` or ``oldest``, and the python that has it."""

    name: str
    python: Path

    @classmethod
    def newest(cls) -> Host:
        """Return what runs beside the tests."""
        return cls("newest", Path(sys.executable))


def make_host(directory: Path, name: str, *requirements: str) -> Host:
    """Return a host with *requirements*, in an environment of its own in the shared *directory*."""

    def make(place: Path) -> None:
        run_checked(sys.executable, "-m", "virtualenv", "--quiet", str(place))
        run_checked(str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements)

    return Host(name, once(directory / name, make) / "bin" / "python")


def once(place: Path, work: Callable[[Path], object]) -> Path:
    """Have *work* make what is to be at *place*, unless a worker has made it; return *place*."""
    done = place.with_name(f"{place.name}.done")
    with FileLock(place.with_name(f"{place.name}.lock")):
        if not done.exists():
            shutil.rmtree(place, ignore_errors=True)
            work(place)
            done.touch()
    return place


def run_checked(*command: str) -> None:
    """Run *command*, which must succeed."""
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}{done.stderr}"
