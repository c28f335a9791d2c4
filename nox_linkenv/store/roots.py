"""Roots: the environments that are known to use the store."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.store.store import Store

__all__ = ["Root", "find_roots", "register_root"]


@dataclass(frozen=True, slots=True)
class Root:
    """An environment.

    Args:
        prefix: its absolute path.
        session: what the host called its last session.
        since, until: when that began and ended, in seconds since the epoch; ``until`` is 0 while it is not known to.
    """

    prefix: str
    session: str
    since: float
    until: float = 0.0


def register_root(store: Store, root: Root) -> None:
    """Register *root*, in place of what was known of the same environment."""
    store.note(f"roots/{hashlib.sha256(root.prefix.encode()).hexdigest()[:40]}.json", json.dumps(asdict(root)))


def find_roots(store: Store) -> Iterator[Root]:
    """Yield the registered environments that still exist."""
    directory = store.layout.directory("roots")
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    for name in names:
        text = store.read(f"roots/{name}")
        try:
            root = Root(**json.loads(text or ""))
        except (ValueError, TypeError):
            continue
        if os.path.isdir(root.prefix):
            yield root
