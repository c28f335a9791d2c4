"""Spares: trees of links made ahead, so that the next environment with the same packages only moves them."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from nox_linkenv.store.directories import open_below, open_directory
from nox_linkenv.store.layout import PREBUILT, stem_of

if TYPE_CHECKING:
    from nox_linkenv.store.layout import Layout

__all__ = ["prebuilt_directory", "take_prebuilt"]


def prebuilt_directory(layout: Layout, name: str) -> str:
    """Return the directory of the spares of a stored plan or skeleton."""
    return f"{layout.base}/{PREBUILT.name}/{stem_of(name)}"


def take_prebuilt(layout: Layout, name: str, target: str) -> str | None:
    """Move a spare for *name* to the path *target* and return that; ``None`` where there is none, or not here.

    POSIX only.
    """
    with contextlib.ExitStack() as opened, contextlib.suppress(OSError):
        base = open_directory(layout.base)
        opened.callback(os.close, base)
        directory = open_below(os.path.relpath(prebuilt_directory(layout, name), layout.base), at=base)
        opened.callback(os.close, directory)
        for spare in os.listdir(directory):
            with contextlib.suppress(OSError):
                os.rename(spare, target, src_dir_fd=directory)
                return target
    return None
