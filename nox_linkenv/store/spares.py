"""Spares: trees of links made ahead, so that the next environment with the same packages only moves them."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from nox_linkenv.store.layout import PREBUILT, stem_of

if TYPE_CHECKING:
    from nox_linkenv.store.layout import Layout

__all__ = ["prebuilt_directory", "take_prebuilt"]


def prebuilt_directory(layout: Layout, name: str) -> str:
    """Return the directory of the spares of a stored plan or skeleton."""
    return f"{layout.base}/{PREBUILT.name}/{stem_of(name)}"


def take_prebuilt(layout: Layout, name: str, target: str) -> str | None:
    """Move a spare for *name* to the path *target* and return that; ``None`` where there is none, or not here."""
    directory = prebuilt_directory(layout, name)
    with contextlib.suppress(OSError):
        for spare in os.listdir(directory):
            with contextlib.suppress(OSError):
                os.rename(f"{directory}/{spare}", target)
                return target
    return None
