"""Writing entries of the store into the remote one: each once, and an answer again when it is newer."""

from __future__ import annotations

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nox_linkenv.env.plan import Plan
from nox_linkenv.remote.signing import sign
from nox_linkenv.store.layout import ANSWERS, BUILDS, PLANS, RESOLUTIONS, SOURCES, WHEELS
from nox_linkenv.store.temporary import temporary_directory
from nox_linkenv.transfer.export import export
from nox_linkenv.transfer.members import directory_of, parser_of
from nox_linkenv.transfer.references import files_of, pages_of
from nox_linkenv.transfer.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nox_linkenv.remote.bucket import Bucket
    from nox_linkenv.store import Store

__all__ = ["Pushed", "entry_of", "push"]

#: What makes an entry, in the order of writing: what others need first, so that a reader finds all or nothing.
_ENTRIES: Final = (WHEELS, PLANS, SOURCES, BUILDS, ANSWERS, RESOLUTIONS)
_PARALLEL: Final = 8


@dataclass(slots=True)
class Pushed:
    """What was written.

    Args:
        size: bytes of it.
        counts: how many entries, by the name of their directory.
        there: how many were there before.
    """

    size: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    there: int = 0


def push(store: Store, selection: Selection, bucket: Bucket, key: bytes, *, progress: Callable[[str], None]) -> Pushed:
    """Write what was selected of *store* into *bucket*, signed with the private *key*.

    Raises:
        RemoteError: the remote store cannot be written; what has been written is whole.
        ArchiveError: a file of the store has gone or is damaged.
    """
    pushed = Pushed()
    groups: dict[str, list[str]] = {directory.name: [] for directory in _ENTRIES}
    notes = set(selection.notes)
    for name in selection.notes:
        if directory_of(name) in _ENTRIES and not _is_list(name):
            groups[directory_of(name).name].append(name)
    total = sum(map(len, groups.values()))

    def write(name: str) -> int | None:
        return _write(store, name, notes, bucket, key)

    with ThreadPoolExecutor(min(_PARALLEL, 2 * (os.cpu_count() or 1)), "linkenv-push") as pool:
        for kind, names in groups.items():
            for size in pool.map(write, names):
                if size is None:
                    pushed.there += 1
                else:
                    pushed.counts[kind.rpartition("/")[2]] += 1
                    pushed.size += size
                done = pushed.there + pushed.counts.total()
                progress(f"{done} of {total} entries, {pushed.size / 1e6:.0f} MB written")
    return pushed


def entry_of(store: Store, name: str, notes: set[str]) -> Selection:
    """Return what belongs to the entry of the note *name*, given all *notes* that are selected.

    A plan has its bytecode, an answer its pages, a build its kept wheel; what wheels hold is in their own entries.
    """
    entry = store.load(name, parser_of(name))
    stem = name.removesuffix("json")
    beside = [other for other in notes if other != name and other.startswith(stem)] if isinstance(entry, Plan) else []
    pages = [page for page in pages_of(entry) if page in notes]
    files = [] if isinstance(entry, Plan) else list(files_of(entry))
    lists = {other: store.load(other, parser_of(other)) for other in beside}
    whole = [other for other, found in lists.items() if found is not None]  # what cannot be read now is left out
    for other in whole:
        files += files_of(lists[other])
    own = list(dict.fromkeys(files))
    return Selection(files=[own] if own else [], notes=[name, *sorted(whole), *sorted(pages)])


def _write(store: Store, name: str, notes: set[str], bucket: Bucket, key: bytes) -> int | None:
    """Write the entry *name*, unless it is there; return its bytes, ``None`` where it was."""
    found = bucket.find(name)
    if found is not None:
        entry = store.load(name, parser_of(name))
        if int(getattr(entry, "time", 0.0)) <= found.modified:  # services say whole seconds
            return None
    with temporary_directory(store.layout) as directory:
        path = os.path.join(directory, "entry")
        export(store, entry_of(store, name, notes), path, progress=lambda _: None)
        sign(path, name, key)
        bucket.put(name, path)
        return os.path.getsize(path)


def _is_list(name: str) -> bool:
    """Return whether the note *name* is a list of bytecode, which goes with its plan."""
    return name.rpartition("/")[2].count(".") > 1


def prune(bucket: Bucket, age: float, *, now: float | None = None) -> tuple[int, int]:
    """Remove the entries written more than *age* seconds ago; return how many, and their bytes.

    Raises:
        RemoteError: they cannot be listed or removed.
    """
    moment = (time.time() if now is None else now) - age
    old: Sequence[tuple[str, int]] = [(one.name, one.size) for one in bucket.entries() if one.modified < moment]
    with ThreadPoolExecutor(_PARALLEL) as pool:
        list(pool.map(lambda one: bucket.delete(one[0]), old))
    return len(old), sum(size for _, size in old)
