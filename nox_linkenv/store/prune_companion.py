"""Pruning a companion: what the main store has no longer, the companion need not have either."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from nox_linkenv.store.files import names_in
from nox_linkenv.store.leftovers import find_leftovers
from nox_linkenv.store.usage import Disk, freed_by, has_reflinks
from nox_linkenv.trash import empty_trash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nox_linkenv.store.prune import Pruned, Pruning
    from nox_linkenv.store.store import Store

__all__ = ["prune_companion"]

#: Seconds to try to get the lock.
_PATIENCE: Final = 120.0


def prune_companion(
    companion: Store, main: Store, pruning: Pruning, pruned: Pruned, *, kept: Callable[[str], bool]
) -> None:
    """Remove from *companion* what *main* does not keep, and add to *pruned*.

    Args:
        kept: whether the main store keeps the file of that name (relative to the format directory).

    Raises:
        StoreBusyError: others have been adding all the time.
        StoreUnwritableError: the companion cannot be written.
    """
    from nox_linkenv.store.store import writing

    base = companion.layout.base
    reflinks = has_reflinks(base)
    with writing(companion.layout):
        for path in find_leftovers(companion.layout, now=pruning.now, grace=pruning.grace):
            pruned.freed += Disk().tree(path).own
            pruned.removed["leftovers"] += 1
            if not pruning.dry:
                empty_trash(path)
        for directory in _shards(base):
            names = [f"{directory}/{name}" for name in names_in(f"{base}/{directory}")]
            names = [name for name in names if not any(map(os.path.exists, _above(main, name))) or not kept(name)]
            if not names:
                continue
            with contextlib.nullcontext() if pruning.dry else companion.removing(within=_PATIENCE):
                for name in names:
                    _remove(f"{base}/{name}", pruning, pruned, reflinks=reflinks)


def _shards(base: str) -> Iterator[str]:
    tops = ["objects", *(f"bytecode/{tag}" for tag in names_in(f"{base}/bytecode"))]
    for top in tops:
        yield from (f"{top}/{shard}" for shard in names_in(f"{base}/{top}"))


def _above(main: Store, name: str) -> Iterator[str]:
    return (f"{layout.base}/{name}" for layout in main.layers)


def _remove(path: str, pruning: Pruning, pruned: Pruned, *, reflinks: bool) -> None:
    with contextlib.suppress(FileNotFoundError):
        status = os.lstat(path)
        if pruning.now - status.st_ctime <= pruning.grace:
            return
        taken = status.st_blocks * 512
        freed = freed_by(path, taken, reflinks=reflinks) if status.st_nlink == 1 else 0
        if not pruning.dry:
            os.unlink(path)
        pruned.freed += freed
        pruned.linked += taken - freed
        pruned.removed["companions' files"] += 1
