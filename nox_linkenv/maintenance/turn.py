"""Whose turn it is to be hashed: where that is noted, and whether it is time; see ``rehash``, which does it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from nox_linkenv.store.layout import REHASH

if TYPE_CHECKING:
    from nox_linkenv.store import Store
    from nox_linkenv.store.layout import Layout

__all__ = ["FOUND", "PAUSE", "TURN", "last_rehash", "rehash_is_due"]

#: Says which shard is hashed next; its modification time says when the last one was.
TURN: Final = REHASH.file("turn")
#: Lists what hashing has found and nobody has been told of.
FOUND: Final = REHASH.file("found")
#: Seconds between two turns.
PAUSE: Final = 3600.0


def last_rehash(layout: Layout) -> float:
    """Return when shards of the store had their turn, or the store was made, in seconds since the epoch."""
    for path in (f"{layout.base}/{TURN}", layout.probe):
        with contextlib.suppress(OSError):
            return os.lstat(path).st_mtime
    return 0.0


def rehash_is_due(store: Store, now: float) -> bool:
    """Return whether shards of *store*, which can be written, have waited long enough; *now* is since the epoch."""
    return not 0.0 <= now - last_rehash(store.layout) < PAUSE and store.writable
