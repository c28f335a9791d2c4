"""Roots: the environments that are known to use the store."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from nox_linkenv.store.layout import ROOTS
from nox_linkenv.store.notes import seconds, string

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.store.store import Store

__all__ = ["Root", "find_roots", "forget_root", "is_alive", "read_root", "register_root"]


class Root(NamedTuple):
    """An environment.

    Args:
        prefix: its absolute path.
        session: what the host called its last session.
        since, until: when that began and ended, in seconds since the epoch; ``until`` is 0 while it is not known to.
        pid: of the process that has registered it.
    """

    prefix: str
    session: str
    since: float
    until: float = 0.0
    pid: int = 0

    @property
    def running(self) -> bool:
        """Whether its session has not ended, as far as can be seen from here."""
        return self.until == 0 and is_alive(self.pid)


def register_root(store: Store, root: Root) -> None:
    """Register *root*, in place of what was known of the same environment."""
    store.note(_name(root.prefix), json.dumps({**root._asdict(), "pid": root.pid or os.getpid()}))


def forget_root(store: Store, prefix: str) -> None:
    """Forget the environment at *prefix*."""
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(store.layout.base, _name(prefix)))


def is_alive(pid: int) -> bool:
    """Return whether a process *pid* runs on this machine, as far as can be told."""
    if pid <= 0:
        return False
    if sys.platform == "win32":  # where signal 0 is not a question
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def read_root(store: Store, prefix: str) -> Root | None:
    """Return what is known of the environment at *prefix*, ``None`` where nothing is."""
    return store.load(_name(prefix), _parse)


def _name(prefix: str) -> str:
    return ROOTS.file(hashlib.sha256(prefix.encode()).hexdigest()[:40])


def _parse(data: dict[str, Any]) -> Root:
    times = seconds(data["since"]), seconds(data["until"])
    return Root(string(data["prefix"]), string(data["session"]), *times, int(data["pid"]))


def find_roots(store: Store, *, vanished: bool = False) -> Iterator[Root]:
    """Yield the registered environments that still exist, or with *vanished* those which do not."""
    directory = store.layout.directory(ROOTS.name)
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    for name in names:
        root = store.load(f"{ROOTS.name}/{name}", _parse)
        if root is not None and os.path.isdir(root.prefix) is not vanished:
            yield root
