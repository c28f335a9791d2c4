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

    Then somebody else has asked the same, and may have left the answer.  Lock files are never removed, and requests are
    without number, so some of them share a lock.  A request for what another one is built with therefore waits for
    nobody: no one who holds such a lock ever wants another one.
    """
    if getattr(_held, "any", False):
        yield False
        return
    name = f"request-{hashlib.sha256(digest.encode()).hexdigest()[:2]}"
    lock, waited = None, False
    with contextlib.suppress(OSError):  # a store that is only read, or a filesystem without locks
        lock = take_turn(store.layout, name, within=0)
        if lock is None:
            waited = True
            with doing("waiting for another process that asks the same"):
                lock = take_turn(store.layout, name, within=_PATIENCE)
    _held.any = True
    try:
        yield waited
    finally:
        _held.any = False
        if lock is not None:
            lock.release()
