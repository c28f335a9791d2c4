"""Re-hashing a part of the store after sessions, so that an edit which only contents show is found within a day.

The 256 shards take turns: as many are hashed as come to all of them in :data:`_ROUND` seconds, however often or seldom
that is.  The note :data:`TURN` says which is next, and its modification time when the last one was.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.digest import digest_of
from nox_linkenv.maintenance.turn import FOUND, PAUSE, TURN, last_rehash
from nox_linkenv.maintenance.verify import OBJECT_FILE, PYC_FILE
from nox_linkenv.store.directories import names_of
from nox_linkenv.store.layout import BYTECODE, OBJECTS, digest_in
from nox_linkenv.store.notes import rows
from nox_linkenv.store.objects import discard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nox_linkenv.store import Store
    from nox_linkenv.store.layout import Layout

__all__ = ["rehash", "take_found"]

#: Seconds in which every shard has its turn: less than a day, as upkeep does not run every minute.
_ROUND: Final = 20 * 3600.0
#: Seconds after which a turn ends though more shards are due; they are so the next time.
_LONGEST: Final = 60.0
_SHARDS: Final = 256


def rehash(store: Store, *, now: float, clock: Callable[[], float] = time.monotonic) -> list[str]:
    """Hash the shards whose turn it is; return the names of files whose content is not what their names say.

    Those are out of the store: whoever needs one stores its wheel anew.  A file that cannot be read is left alone.

    Args:
        now: seconds since the epoch.
        clock: the seam to the time that it takes.
    """
    with store.locked_for("rehash"):
        since = now - last_rehash(store.layout)
        if 0.0 <= since < PAUSE:  # another process has just done it
            return []
        due = _SHARDS if since < 0.0 else min(_SHARDS, math.ceil(_SHARDS * since / _ROUND))
        first = store.load(TURN, _shard) or 0
        changed: list[tuple[str, int]] = []
        until = clock() + _LONGEST
        done = 0
        while done < due and clock() < until:
            with store.locked():
                changed.extend(_discarded(store.layout, f"{(first + done) % _SHARDS:02x}"))
            done += 1
        if changed:
            told = store.load(FOUND, _rows) or []
            store.publish(FOUND, json.dumps([*told, *changed]))
        store.publish(TURN, json.dumps((first + done) % _SHARDS))
        waited = now - _ROUND * (due - done) / _SHARDS
        os.utime(f"{store.layout.base}/{TURN}", (waited, waited))
        return [name for name, _ in changed]


def take_found(store: Store) -> list[tuple[str, int]]:
    """Return name and inode number of the files that were found since this was asked last."""
    found = store.load(FOUND, _rows) or []
    store.drop(FOUND)
    return found


def _discarded(layout: Layout, shard: str) -> Iterator[tuple[str, int]]:
    """Take out of the store what is changed in the *shard*, two hexadecimal digits; yield names and inode numbers."""
    directories = [(f"{OBJECTS.name}/{shard}", OBJECT_FILE)]
    tags = names_of(layout.directory(BYTECODE.name))
    directories += [(f"{BYTECODE.name}/{tag}/{shard}", PYC_FILE) for tag in tags]
    for directory, pattern in directories:
        for entry in names_of(layout.directory(directory)):
            name = f"{directory}/{entry}"
            if pattern.fullmatch(entry) is not None:
                digest = digest_of(f"{layout.base}/{name}")
                if digest is not None and not digest.startswith(digest_in(name)):
                    with contextlib.suppress(OSError):
                        inode = os.lstat(f"{layout.base}/{name}").st_ino
                        discard(layout, name)
                        yield name, inode


def _shard(data: Any) -> int:
    if not isinstance(data, int) or not 0 <= data < _SHARDS:
        raise ValueError("not a shard")
    return data


def _rows(data: Any) -> list[tuple[str, int]]:
    return [(name, inode) for name, inode in rows(data, str, int)]
