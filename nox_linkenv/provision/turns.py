"""Requests that are the same, at the same time: one asks pip, the others wait for what it is told."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from typing import TYPE_CHECKING, Final

from nox_linkenv.progress import doing
from nox_linkenv.store.locks import take_turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.store import Store

__all__ = ["in_turn"]

#: Seconds after which nobody is waited for any more: to do the same thing once more does no harm.
_PATIENCE: Final = 300.0
_held = threading.local()


@contextlib.contextmanager
def in_turn(store: Store, digest: str) -> Iterator[bool]:
    """Have the request with the key *digest* to oneself, as far as the store allows; yield whether that took waiting.

    Then somebody else has asked the same, and may have left the answer.
    """
    name = hashlib.sha256(f"request {digest}".encode()).hexdigest()
    held: set[str] = _held.__dict__.setdefault("names", set())
    if name in held:  # a project that is built needs itself for that: whoever waited here would wait for ever
        yield False
        return
    lock, waited = None, False
    with contextlib.suppress(OSError):  # a store that is only read, or a filesystem without locks
        lock = take_turn(store.layout, name, within=0)
        if lock is None:
            waited = True
            with doing("waiting for another process that asks the same"):
                lock = take_turn(store.layout, name, within=_PATIENCE)
    held.add(name)
    try:
        yield waited
    finally:
        held.discard(name)
        if lock is not None:
            lock.release()
