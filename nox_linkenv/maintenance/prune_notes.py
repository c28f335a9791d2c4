"""Pruning notes: small files which are made again when they are gone."""

from __future__ import annotations

import contextlib
import math
import os
import re
from typing import TYPE_CHECKING, Final

from nox_linkenv.regular import IrregularError, read_regular
from nox_linkenv.store.directories import names_of
from nox_linkenv.store.files import staging_name
from nox_linkenv.store.layout import (
    COMPANIONS,
    DIRECTORIES,
    DISCARDED,
    JOURNAL,
    LAYER,
    MAINS,
    PREBUILT,
    WHEELS,
    Directory,
    Layout,
    Retention,
)
from nox_linkenv.store.link_policy import layer_of
from nox_linkenv.store.notes import NoteError, parse_note
from nox_linkenv.store.roots import find_roots

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.maintenance.last_use import Uses
    from nox_linkenv.maintenance.removal import Pruning, Removal
    from nox_linkenv.store.store import Store

__all__ = ["prune_notes"]

#: How a note names the unit that it speaks of.
_PLAN: Final = re.compile(rb'"plan": ?"([^"]+)"')
_WHEEL: Final = re.compile(rb'"note":\{"wheel": ?"([0-9a-f]{64})"')
#: Seconds for which the journal is kept where everything unused is to go, as ``journal-days`` has it by default.
_HISTORY: Final = 90 * 86400.0


def prune_notes(store: Store, pruning: Pruning, uses: Uses, removal: Removal) -> None:
    """Remove the notes of *store* that are old, or speak of what is gone."""
    base, cutoff = store.layout.base, removal.pruned.cutoff
    for directory in DIRECTORIES:
        if directory.retention is Retention.NOTE:
            limit = _history_limit(pruning) if directory is JOURNAL else cutoff
            for path in _files(base, directory):
                if _last_use(path, uses) < limit:
                    removal.unlink(path, directory.name)
    for directory in (COMPANIONS, MAINS):
        for path in _files(base, directory):
            if _is_older(path, pruning.now - pruning.grace) and not _has_place(path, directory):
                removal.unlink(path, directory.name)
    present = layer_of(store.layout)
    for name in names_of(base):
        if name.startswith(LAYER) and name != present and _is_older(f"{base}/{name}", cutoff):
            removal.unlink(f"{base}/{name}", "layers")
    _discarded(store, cutoff, removal)


def _history_limit(pruning: Pruning) -> float:
    """Return before when what the journal tells goes: no environment is made of it, so that would say nothing."""
    return pruning.now - _HISTORY if math.isinf(pruning.before) else pruning.before


def _files(base: str, directory: Directory) -> Iterator[str]:
    """Yield the paths of the notes in *directory*, and of none in those below it that are other directories."""
    top = f"{base}/{directory.name}"
    for place in [f"{top}/{shard}" for shard in names_of(top)] if directory.sharded else [top]:
        for name in names_of(place):
            path = f"{place}/{name}"
            if not os.path.isdir(path):
                yield path


def _last_use(path: str, uses: Uses) -> float:
    """Return when a note, or the unit that it names, was used last; now and ever, where it cannot be read."""
    try:
        written = os.lstat(path).st_mtime
        content = read_regular(path)
    except IrregularError:
        return 0.0
    except OSError:
        return float("inf")
    if (plan := _PLAN.search(content)) is not None:
        return uses.times.get(plan[1].decode(), written)
    if (wheel := _WHEEL.search(content)) is not None:
        return uses.times.get(WHEELS.file(wheel[1].decode()), written)
    return written


def _is_older(path: str, moment: float) -> bool:
    try:
        return os.lstat(path).st_mtime < moment
    except OSError:
        return False


def _has_place(path: str, directory: Directory) -> bool:
    """Return whether the store which the note at *path*, in *directory*, names is there."""
    name = f"{directory.name}/{os.path.basename(path)}"
    with contextlib.suppress(OSError, NoteError):
        return parse_note(name, read_regular(path), lambda data: os.path.exists(Layout(data["root"]).description))
    return False


def _discarded(store: Store, cutoff: float, removal: Removal) -> None:
    """Forget which files were taken out of the store, when nothing is left that was made before and may have them."""
    path = store.layout.directory(DISCARDED)
    if not _is_older(path, cutoff):
        return
    written = os.lstat(path).st_mtime
    trees = store.layout.directory(PREBUILT.name)
    holders = [f"{root.prefix}/pyvenv.cfg" for root in find_roots(store)]
    holders += [f"{trees}/{name}/{tree}" for name in names_of(trees) for tree in names_of(f"{trees}/{name}")]
    if any(_is_older(holder, written) for holder in holders):
        return
    if removal.dry:
        removal.unlink(path, DISCARDED)
        return
    aside = staging_name(store.layout.staging)
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, aside)
        if os.lstat(aside).st_mtime > written:  # somebody has added to it just now
            os.rename(aside, path)
        else:
            removal.unlink(aside, DISCARDED)
