"""Looking at an environment after a session: what of its packages has changed, and what it has imported."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from nox_linkenv.env.stat_signature import expected_signatures, owned_signature_of, signature_of, signatures_of_all
from nox_linkenv.store.objects import owner_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from nox_linkenv.env.links import Links

__all__ = ["Audit", "audit_links", "fresh_bytecode", "imported", "keeps_modes"]


#: Seconds by which the filesystem's clock may be behind: a tick, or the two seconds that the coarsest ones keep.
_TICK: Final = 2.0


@dataclass(slots=True, eq=False)
class Audit:
    """What became of linked files.

    Args:
        edited: positions of files that are still the store's and are not as expected: edited through the link.
        spread: positions of files that were the store's once and were taken out of it: they hold an edit that was
            found already, in whichever environment it was made, also one that shows in nothing but their content.
        replaced: positions of files that are others now.
        removed: positions of files that are gone.
    """

    edited: list[int] = field(default_factory=list)
    spread: list[int] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)


def audit_links(
    prefix: str, bases: Sequence[str], links: Links, *, modes_kept: bool = True, discarded: Collection[int] = ()
) -> Audit:
    """Compare the files of *links* in the environment at *prefix* with what they were linked as.

    A symlink into a store counts as the file it leads to; one that leads nowhere counts as removed.

    Args:
        bases: the format directories of the stores that they were linked from.
        modes_kept: whether the environment's filesystem keeps modes; exFAT does not.
        discarded: numbers of the inodes that have been taken out of those stores.
    """
    audit = Audit()
    owners = {owner_of(base) for base in bases}
    owner = owners.pop() if len(owners) == 1 else None
    signature_with = signature_of if owner is None else owned_signature_of
    with contextlib.suppress(OSError):
        as_expected = signatures_of_all(prefix, links.paths, signature_with) == expected_signatures(links, owner)
        if as_expected and not (discarded and _holds(prefix, links.paths, discarded)):
            return audit
    expected = expected_signatures(links)
    for position, (path, source, signature) in enumerate(zip(links.paths, links.sources, expected, strict=True)):
        try:
            status = os.lstat(f"{prefix}/{path}")
        except OSError:
            audit.removed.append(position)
            continue
        found = signature_of(status)
        if found == signature or (found[:2] == signature[:2] and not modes_kept):
            given_away = owner is not None and status.st_uid != owner  # as a copy may be, and no file of the store's
            if given_away or status.st_ino in discarded:
                if not any(_same(status, f"{base}/{source}") for base in bases):
                    audit.spread.extend([position] if status.st_ino in discarded else [])
                elif given_away:
                    audit.edited.append(position)
            continue
        if stat.S_ISLNK(status.st_mode) and os.readlink(f"{prefix}/{path}") in [f"{base}/{source}" for base in bases]:
            try:
                status = os.stat(f"{prefix}/{path}")
            except OSError:
                audit.removed.append(position)
                continue
            if signature_of(status) == signature:
                continue
        if any(_same(status, f"{base}/{source}") for base in bases):
            audit.edited.append(position)
        else:
            (audit.spread if status.st_ino in discarded else audit.replaced).append(position)
    return audit


def _holds(prefix: str, paths: Iterable[str], inodes: Collection[int]) -> bool:
    """Return whether one of *paths* in the environment at *prefix* is a file with one of these numbers."""
    return not set(signatures_of_all(prefix, paths, attrgetter("st_ino"))).isdisjoint(inodes)


def keeps_modes(prefix: str) -> bool:
    """Return whether the filesystem of the environment at *prefix* does: a file that nobody makes executable tells."""
    try:
        return os.stat(f"{prefix}/pyvenv.cfg").st_mode & 0o111 == 0
    except OSError:
        return True


def _same(status: os.stat_result, path: str) -> bool:
    try:
        return os.path.samestat(status, os.stat(path))
    except OSError:
        return False


def fresh_bytecode(prefix: str, directories: Iterable[str], *, since: float) -> dict[str, set[str]]:
    """Return the names of all bytecode in those of *directories* in which an interpreter may have left some.

    Args:
        since: seconds since the epoch; directories of bytecode that have not changed since hold nothing new.
    """
    found = {directory: _entries_since(f"{prefix}/{directory}/__pycache__", since) for directory in directories}
    return {directory: names for directory, names in found.items() if names}


def imported(modules: Iterable[str], fresh: Mapping[str, set[str]], cache_tag: str) -> Iterator[str]:
    """Yield those of *modules* (paths) for which an interpreter may have left bytecode of its own.

    Args:
        fresh: what :func:`fresh_bytecode` found.
    """
    for path in modules:
        directory, _, name = path.rpartition("/")
        if f"{name[:-3]}.{cache_tag}.pyc" in fresh.get(directory, ()):
            yield path


def _entries_since(directory: str, since: float) -> set[str]:
    try:
        return set(os.listdir(directory)) if os.stat(directory).st_mtime >= since - _TICK else set()
    except OSError:
        return set()
