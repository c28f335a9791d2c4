"""A place for environments that are gone in a moment."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING

from nox_linkenv.env.skeleton import fits
from nox_linkenv.store.files import make_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.store.layout import Layout

__all__ = ["scratch", "scratch_place"]


def scratch_place(layout: Layout, inside: str = "") -> str:
    """Return a directory for environments that are gone in a moment: in the store, which can be linked from there.

    It is the system's directory for temporary files where the store cannot be written, or where no stored skeleton
    would do for an environment at such a path.

    Args:
        inside: the longest path, relative to a new directory there, that an environment is to have.
    """
    place = os.path.join(os.path.realpath(layout.root), os.path.basename(layout.throwaway))
    with contextlib.suppress(OSError):
        make_directory(place)
        if os.access(place, os.W_OK) and fits(os.path.join(place, f"{2**22}-12345678", inside).rstrip("/")):
            return place
    return os.path.realpath(tempfile.gettempdir())


@contextlib.contextmanager
def scratch(layout: Layout, inside: str) -> Iterator[str]:
    """Make a directory in :func:`scratch_place`, named by this process, for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix=f"{os.getpid()}-", dir=scratch_place(layout, inside)) as directory:
        yield directory
