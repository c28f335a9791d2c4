"""What killed processes have left in the store: staged files, throwaway environments, units that were moved aside."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from nox_linkenv.maintenance.units import Kind
from nox_linkenv.store.directories import names_of
from nox_linkenv.store.layout import ASIDE, TESTS
from nox_linkenv.store.roots import is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.store.layout import Layout

__all__ = ["find_leftovers", "put_back"]

#: Seconds after which nobody works on a staged file any more, whichever machine's process made it.
_LONG: Final = 86_400.0


def find_leftovers(layout: Layout, *, now: float, grace: float) -> Iterator[str]:
    """Yield the paths of what is staged, and of throwaway and tests' environments, that belong to nobody any more.

    Args:
        now: seconds since the epoch.
        grace: seconds for which a stranger's work counts as going on: a process cannot be seen from another container.
    """
    for directory in (layout.staging, layout.throwaway):
        for name in names_of(directory):
            pid = name.removeprefix("upkeep-").partition("-")[0].partition(".")[0]
            path = os.path.join(directory, name)
            with contextlib.suppress(OSError):
                age = now - os.lstat(path).st_ctime
                gone = not (pid.isdecimal() and is_alive(int(pid)))
                if (gone and age > grace) or (age > _LONG and directory == layout.staging):
                    yield path
    runs = layout.directory(TESTS.name)
    for name in names_of(runs):
        if now - _changed(os.path.join(runs, name)) > _LONG:
            yield os.path.join(runs, name)


def _changed(run: str) -> float:
    """Return when something was last made in the directory of a test run, in seconds since the epoch."""
    paths = [run, *(os.path.join(run, name) for name in names_of(run))]
    times = [0.0]
    for path in paths:
        with contextlib.suppress(OSError):
            times.append(os.lstat(path).st_ctime)
    return max(times)


def put_back(layout: Layout) -> None:
    """Put units back which a killed prune has left aside; the exclusive lock is held."""
    for kind in Kind:
        for directory, _, names in os.walk(layout.directory(kind.value)):
            for name in names:
                if name.endswith(ASIDE):
                    path = os.path.join(directory, name)
                    with contextlib.suppress(OSError):
                        if os.path.exists(path.removesuffix(ASIDE)):
                            os.unlink(path)
                        else:
                            os.rename(path, path.removesuffix(ASIDE))
