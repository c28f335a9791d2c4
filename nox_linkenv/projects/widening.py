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
from typing import TYPE_CHECKING

from nox_linkenv.projects.reads import NOTHING, Reads

if TYPE_CHECKING:
    from nox_linkenv.projects.surroundings import Surroundings

__all__ = ["Widened", "names_in", "widen", "wider_key"]


@dataclass(frozen=True, slots=True)
class Widened:
    """Where an entry is to be written.

    Attributes:
        key: for the entry.
        names: text of the file under the first key.
    """

    key: str
    names: str


def names_in(text: str | None) -> Reads | None:
    """Return what the file with the *text* names; ``None`` where it is none that does."""
    try:
        return Reads.from_json(json.loads(text or "")["reads"])
    except (ValueError, KeyError, TypeError):
        return None


def wider_key(key: str, text: str | None, surroundings: Surroundings) -> str | None:
    """Return the second key for the first *key*, whose file has the *text*; ``None`` where nothing is kept for it."""
    names = names_in(text)
    return None if names is None else _key(key, names, surroundings)


def widen(key: str, text: str | None, reads: Reads, surroundings: Surroundings) -> Widened:
    """Return the second key for an entry that depends on the first *key* and *reads*.

    Args:
        text: of the file of the first key as it is.
    """
    names = (names_in(text) or NOTHING) | reads
    return Widened(_key(key, names, surroundings), json.dumps({"reads": names.to_json()}))


def _key(key: str, names: Reads, surroundings: Surroundings) -> str:
    # The first key is the salt of what the digest is made of.
    return hashlib.sha256(f"{key} {surroundings.digest(names)}".encode()).hexdigest()
