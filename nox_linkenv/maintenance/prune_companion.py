"""Pruning a companion: what the main store has no longer, the companion need not have either."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from nox_linkenv.maintenance.last_use import shards
from nox_linkenv.maintenance.links import refuse_links
from nox_linkenv.maintenance.removal import PATIENCE, Removal
from nox_linkenv.store.directories import names_of
from nox_linkenv.store.store import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nox_linkenv.maintenance.removal import Pruned, Pruning
    from nox_linkenv.store.store import Store

__all__ = ["prune_companion"]


def prune_companion(
    companion: Store, main: Store, pruning: Pruning, pruned: Pruned, *, kept: Callable[[str], bool]
) -> None:
    """Remove from *companion* what *main* does not keep, and add to *pruned*.

    Args:
        kept: whether the main store keeps the file of that name (relative to the format directory).

    Raises:
        StoreBusyError: others have been adding all the time.
        StoreUnwritableError: the companion cannot be written.
        StoreError: a directory of the companion is a link to somewhere else.
    """
    refuse_links(companion.layout)
    base = companion.layout.base
    removal = Removal(companion.layout, pruned, dry=pruning.dry)
    with writing(companion.layout):
        removal.leftovers(now=pruning.now, grace=pruning.grace)
        for directory, _ in shards(base, "objects", "bytecode"):
            names = [f"{os.path.relpath(directory, base)}/{name}" for name in names_of(directory)]
            names = [name for name in names if not any(map(os.path.exists, _above(main, name))) or not kept(name)]
            if not names:
                continue
            with contextlib.nullcontext() if pruning.dry else companion.removing(within=PATIENCE):
                for name in names:
                    if _is_old(f"{base}/{name}", pruning):
                        removal.unlink(f"{base}/{name}", "companions' files")


def _above(main: Store, name: str) -> Iterator[str]:
    return (f"{layout.base}/{name}" for layout in main.layers)


def _is_old(path: str, pruning: Pruning) -> bool:
    """Return whether nobody has linked the file just now, which its status-change time would show."""
    try:
        return pruning.now - os.lstat(path).st_ctime > pruning.grace
    except FileNotFoundError:
        return False
