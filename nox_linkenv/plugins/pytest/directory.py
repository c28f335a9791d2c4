"""The directory of one test run: whose it is, whether the run still lives, and removing it.

Every process of a run holds a lock in the run's directory for as long as it lives.  A run of which no lock is held has
ended, in whatever way; what it has left is removed by the next run.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Final

from nox_linkenv.errors import EnvError
from nox_linkenv.store.directories import names_of
from nox_linkenv.store.trash import empty_trash, find_trash, trash_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import BaseFileLock

__all__ = ["RunDirectory", "remove_run"]

_LOCK: Final = ".lock"
#: In the directory of a run: the environments that are kept, and where else it has a directory.
_KEPT: Final = "kept"
_ELSEWHERE: Final = "elsewhere"
#: How many former runs with kept environments stay.
_STAY: Final = 2


class RunDirectory:
    """The directory of this process in a run's.

    Args:
        base: absolute path of the directory of all runs, without symbolic links.
        run: name of the run.
        process: name of this process among those of the run.
    """

    def __init__(self, base: str, run: str, process: str) -> None:
        self.run = f"{base}/{run}"
        self.home = f"{self.run}/{process}"
        _own(base)
        with _locked(base):
            dead = [path for path in _runs(base) if _is_dead(path)]
            aside = [_set_aside(path) for path in _expendable(dead)]
            os.makedirs(self.run, mode=0o700, exist_ok=True)
            self._lock = _lock(f"{self.run}/{process}{_LOCK}")
            self._lock.acquire()
        for path in aside:
            empty_trash(path)
        os.makedirs(self.home, exist_ok=True)

    def move(self, base: str) -> None:
        """Make environments below *base* from now on, because nothing can be linked into the usual place."""
        run = f"{base}/{os.path.basename(self.run)}"
        home = f"{run}/{os.path.basename(self.home)}"
        os.makedirs(home, exist_ok=True)
        _append(f"{self.run}/{_ELSEWHERE}", run)
        self.home = home

    def keep(self, path: str) -> None:
        """Have the environment at *path* outlive the run."""
        _append(f"{self.run}/{_KEPT}", path)

    def close(self) -> None:
        """Let go of the directory."""
        self._lock.release()


def remove_run(run: str) -> None:
    """Remove the directory of a run that has ended, but for the environments that are kept."""
    kept = _lines(f"{run}/{_KEPT}")
    if not kept:
        with _locked(os.path.dirname(run)):
            aside = _set_aside(run)
        empty_trash(aside)
        if os.path.isdir(run):  # a child that a test has left behind has made it again
            empty_trash(run)
        return
    for place in [run, *_elsewhere(run)]:
        for home in _directories(place):
            for path in _directories(home):
                if path not in kept:
                    empty_trash(path)
            with contextlib.suppress(OSError):
                os.rmdir(home)


def _own(base: str) -> None:
    """Make the directory *base*, or refuse one that somebody else has made where all may."""
    os.makedirs(base, mode=0o700, exist_ok=True)
    status = os.lstat(base)
    if not stat.S_ISDIR(status.st_mode) or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
        raise EnvError(
            "The directory for environments belongs to somebody else",
            path=base,
            remedy="Name another one with the ini option linkenv_directory.",
        )


def _lock(path: str) -> BaseFileLock:
    from filelock import FileLock

    return FileLock(path, thread_local=False)


@contextlib.contextmanager
def _locked(base: str) -> Iterator[None]:
    with _lock(f"{base}/{_LOCK}"):
        yield


def _directories(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _runs(base: str) -> list[str]:
    """Return the directories of runs, and of runs that somebody has begun to remove."""
    return [path for path in _directories(base) if not os.path.basename(path).startswith(".")] + find_trash(base)


def _is_dead(run: str) -> bool:
    """Return whether no process of the run lives.  The lock of *base* is held, so none is about to begin."""
    from filelock import Timeout

    try:
        names = [name for name in names_of(run) if name.endswith(_LOCK)]
    except OSError:
        return False
    for name in names:
        lock = _lock(f"{run}/{name}")
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            return False
        lock.release()
    return True


def _expendable(dead: list[str]) -> Iterator[str]:
    """Yield those of the *dead* runs that go: all but the latest of those with kept environments."""
    kept = [run for run in dead if os.path.exists(f"{run}/{_KEPT}")]
    stay = sorted(kept, key=lambda run: os.stat(f"{run}/{_KEPT}").st_mtime_ns)[-_STAY:]
    yield from (run for run in dead if run not in stay)


def _set_aside(run: str) -> str:
    """Rename the directory of a run, so that nobody finds it, and return where it is."""
    if os.path.basename(run).startswith("."):
        return run
    for place in _elsewhere(run):
        empty_trash(place)
    aside = trash_name(run)
    with contextlib.suppress(FileNotFoundError):  # somebody else has done it
        os.rename(run, aside)
    return aside


def _elsewhere(run: str) -> list[str]:
    """Return where else the run has a directory; a line that names anything else is nobody's order to remove it."""
    return [path for path in _lines(f"{run}/{_ELSEWHERE}") if os.path.basename(path) == os.path.basename(run)]


def _append(path: str, line: str) -> None:
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(f"{line}\n")


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as stream:
            return list(dict.fromkeys(stream.read().splitlines()))
    except OSError:
        return []
