"""The environments that are known to use a store, and what can be said about each."""

from __future__ import annotations

import contextlib
import enum
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nox_linkenv.env.audit import Audit, audit_links
from nox_linkenv.env.bytecode import read_bytecode
from nox_linkenv.env.contents import Content, contents
from nox_linkenv.env.receipt import DIRECTORY, Receipt, read_receipt
from nox_linkenv.store.roots import Root, find_roots
from nox_linkenv.store.units import stem_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.env.links import Links
    from nox_linkenv.store import Store

__all__ = ["Known", "State", "check", "find_known", "linked", "protected", "stored_inodes"]


class State(enum.Enum):
    """Whether an environment is what it was made as."""

    INTACT = "intact"
    CHANGED = "changed"  # files of packages were replaced or removed: its own business
    DAMAGED = "damaged"  # files were edited through their links, in the store too
    UNFINISHED = "unfinished"
    UNKNOWN = "unknown"  # the store has forgotten what it was made of


@dataclass(frozen=True, slots=True)
class Known:
    """An environment.

    Args:
        root: as it is registered.
        receipt: ``None`` where it is not finished.
    """

    root: Root
    receipt: Receipt | None

    @property
    def prefix(self) -> str:
        return self.root.prefix

    @property
    def used(self) -> float:
        """When it was used last, in seconds since the epoch."""
        return max(self.root.since, self.root.until)


def find_known(store: Store) -> list[Known]:
    """Return the registered environments that still exist and are this store's, the least recently used first."""
    found = [Known(root, read_receipt(root.prefix)) for root in find_roots(store)]
    ours = [known for known in found if known.receipt is None or known.receipt.store == store.layout.root]
    return sorted(ours, key=lambda known: known.used)


def protected(known: list[Known]) -> set[str]:
    """Return the plans and skeletons that the environments *known* were made of, as :func:`stem_of` names them.

    One that is being installed into has no receipt, but the states of what was linked.
    """
    found: set[str] = set()
    for environment in known:
        if environment.receipt is not None:
            found.update(map(stem_of, environment.receipt.plans))
            found.update(map(stem_of, filter(None, [environment.receipt.skeleton])))
        with contextlib.suppress(OSError):
            names = os.listdir(f"{environment.prefix}/{DIRECTORY}")
            found.update(name.removesuffix(".state") for name in names if name.endswith(".state"))
    return found


def check(store: Store, known: Known) -> tuple[State, Audit]:
    """Look at every linked file of an environment; return what was found, with positions by path instead.

    Positions in the audit are those in :func:`linked`.
    """
    audit = Audit()
    receipt = known.receipt
    if receipt is None:
        return State.UNFINISHED, audit
    names = {*receipt.plans, *filter(None, [receipt.skeleton])}
    seen = set()
    start = 0
    for content in contents(store, receipt):
        seen.add(content.name)
        links = content.links.selected(content.current)
        found = audit_links(known.prefix, store.layout.base, links)
        audit.edited.extend(start + at for at in found.edited)
        audit.replaced.extend(start + at for at in found.replaced)
        audit.removed.extend(start + at for at in found.removed)
        start += len(links.paths)
    if audit.edited:
        return State.DAMAGED, audit
    if audit.replaced or audit.removed:
        return State.CHANGED, audit
    return (State.INTACT if seen == names else State.UNKNOWN), audit


def linked(store: Store, receipt: Receipt) -> Iterator[tuple[Content, Links]]:
    """Yield what an environment should hold of the store, the latest first."""
    for content in contents(store, receipt):
        yield content, content.links.selected(content.current)


def stored_inodes(store: Store, receipt: Receipt) -> dict[int, str]:
    """Return inode number -> name of those files of the store which an environment may hold, bytecode included."""
    found: dict[int, str] = {}
    base = store.layout.base
    for content in contents(store, receipt):
        bytecode = read_bytecode(store, content.name, receipt.facts)
        sources = content.links.sources if bytecode is None else [*content.links.sources, *bytecode.links.sources]
        for source in sources:
            with contextlib.suppress(OSError):
                found[os.stat(f"{base}/{source}").st_ino] = source
    return found
