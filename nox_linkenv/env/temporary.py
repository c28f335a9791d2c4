"""A place for environments that are gone in a moment."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING

from nox_linkenv.env.skeleton import fits
from nox_linkenv.store.temporary import directory_in, temporary_place

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
    place = temporary_place(layout)
    if fits(os.path.join(place, f"{2**22}-{8 * '0'}", inside).rstrip("/")):
        return place
    return os.path.realpath(tempfile.gettempdir())


@contextlib.contextmanager
def scratch(layout: Layout, inside: str) -> Iterator[str]:
    """Make a directory in :func:`scratch_place` for as long as the context lasts; remove what killed processes left."""
    with directory_in(scratch_place(layout, inside)) as directory:
        yield directory
