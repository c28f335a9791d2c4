"""Keeping a store below the size that its user has set: after a run, least recently used first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_linkenv.env.registry import find_known, foreign, protected
from nox_linkenv.maintenance.disk_usage import Disk
from nox_linkenv.maintenance.prune import prune
from nox_linkenv.maintenance.removal import Pruned, Pruning

if TYPE_CHECKING:
    from nox_linkenv.store import Store


__all__ = ["keep_size"]


def keep_size(store: Store, max_size: int) -> Pruned | None:
    """Prune *store* where it takes more than *max_size* bytes on the disk; return what went, if it was looked at.

    What environments are made of stays, and what was used just now, as :func:`prune` has it.

    Raises:
        StoreBusyError: others have been adding all the time.
        StoreUnwritableError: the store cannot be written.
        StoreError: a directory of the store is a link to somewhere else.
    """
    if Disk().tree(store.layout.root).disk <= max_size:
        return None
    known = find_known(store)
    pruning = Pruning(before=0.0, max_size=max_size, protected=protected(known), foreign=foreign(store, known))
    return prune(store, pruning)
