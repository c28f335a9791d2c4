"""Links in a store: there are none of ours, and nothing is removed through anybody else's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nox_linkenv.errors import StoreError
from nox_linkenv.store.directories import is_directory, names_of

if TYPE_CHECKING:
    from nox_linkenv.store.layout import Layout

__all__ = ["refuse_links"]


def refuse_links(layout: Layout) -> None:
    """Make sure that none of the store's directories, down to the shards, is a link to somewhere else.

    Raises:
        StoreError: one is.
    """
    above = [layout.throwaway, layout.base]
    for path in (*above, *_children(layout.base), *(path for top in _children(layout.base) for path in _children(top))):
        if os.path.isdir(path) and not is_directory(path):
            raise StoreError(
                "A part of the store is a link to another place, where nothing is written or removed",
                path=path,
                remedy="Remove the link; the store makes that part anew.",
            )


def _children(directory: str) -> list[str]:
    return [f"{directory}/{name}" for name in names_of(directory)]
