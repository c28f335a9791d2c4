"""Keys that hold what builds have read: it is not known before they have run.

Two files make an entry.  The first lies under the key that is known beforehand, and names what was read by whatever
had that key.  The second lies under a key that is made of the first one and of what the names stand for now, and is
the entry itself.  Where other builds of the same first key have read other things, all their names are looked at; that
is more than each of them needs, which does no harm.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from nox_linkenv.projects.reads import NOTHING, Reads

if TYPE_CHECKING:
    from collections.abc import Callable

    from nox_linkenv.projects.surroundings import Surroundings
    from nox_linkenv.store import Store
    from nox_linkenv.store.layout import Directory

__all__ = ["Widened", "load_names", "load_wider", "parse_names", "widen", "wider_key"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Widened:
    """Where an entry is to be written.

    Attributes:
        key: for the entry.
        names: what the file under the first key is to name.
    """

    key: str
    names: Reads

    def dumps(self) -> str:
        """Return the text of the file under the first key."""
        return json.dumps({"reads": self.names.to_json()})


def load_names(store: Store, name: str, *, used: bool = False) -> Reads | None:
    """Return what the file *name* of *store* names; ``None`` where there is none that does.

    Args:
        used: whether this is a use of it.
    """
    return (store.use if used else store.load)(name, parse_names)


def parse_names(data: dict[str, Any]) -> Reads | None:
    """Return what the file under a first key names, ``None`` where *data* is an entry; it raises what is wrong."""
    return Reads.from_json(data["reads"]) if "reads" in data else None  # else it is an entry itself


def wider_key(key: str, names: Reads | None, surroundings: Surroundings) -> str | None:
    """Return the second key for the first *key*, whose file has *names*; ``None`` where nothing is kept for it."""
    return None if names is None else _key(key, names, surroundings)


def load_wider(
    store: Store, directory: Directory, key: str, surroundings: Surroundings, parse: Callable[[Any], _T]
) -> _T | None:
    """Return the entry of *directory* with the first *key* in these *surroundings*, which is used now.

    Either of its two files is brought from the remote store where this one lacks it.
    """
    name = directory.file(key)
    names = load_names(store, name, used=True)
    if names is None and store.seek(name):
        names = load_names(store, name, used=True)
    if names is None:
        return None
    name = directory.file(_key(key, names, surroundings))
    found = store.use(name, parse)
    return store.use(name, parse) if found is None and store.seek(name) else found


def widen(key: str, before: Reads | None, reads: Reads, surroundings: Surroundings) -> Widened:
    """Return the second key for an entry that depends on the first *key* and *reads*.

    Args:
        before: what the file of the first key names as it is.
    """
    names = (before or NOTHING) | reads
    return Widened(_key(key, names, surroundings), names)


def _key(key: str, names: Reads, surroundings: Surroundings) -> str:
    # The first key is the salt of what the digest is made of.
    return hashlib.sha256(f"{key} {surroundings.digest(names)}".encode()).hexdigest()
