"""The locks of a store: one that adding shares and removing has alone, and one for each piece of work."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING

from filelock import FileLock, ReadWriteLock, Timeout

from nox_linkenv.errors import StoreBusyError, StoreError, StoreUnwritableError
from nox_linkenv.store.files import make_shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.store.layout import Layout

__all__ = ["hold", "hold_for", "hold_to_remove", "take_turn"]


@contextlib.contextmanager
def hold(layout: Layout, *, exclusive: bool = False) -> Iterator[None]:
    """Hold the lock of the store: shared to add, exclusive to remove.

    Raises:
        StoreError: it is damaged.
    """
    make_shared(layout.lock("store"))
    with _intact(layout):
        lock = ReadWriteLock(layout.lock("store"))
        if exclusive:
            lock.acquire_write()
        else:
            lock.acquire_read()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def hold_to_remove(layout: Layout, *, within: float) -> Iterator[None]:
    """Hold the exclusive lock for a moment.  Who waits for it keeps others from adding, so the wait is short.

    Args:
        within: seconds after which it is given up.

    Raises:
        StoreBusyError: somebody has been adding all the time.
        StoreError: the lock is damaged.
    """
    with _intact(layout):
        lock = ReadWriteLock(layout.lock("store"))
    deadline = time.monotonic() + within
    while True:
        try:
            with _intact(layout):
                lock.acquire_write(timeout=0.2)
            break
        except Timeout as error:
            if time.monotonic() > deadline:
                raise StoreBusyError(
                    "The store is being added to all the time",
                    path=layout.root,
                    remedy="Run the command again later; it goes on where it was.",
                ) from error
            time.sleep(0.3)
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def hold_for(layout: Layout, name: str) -> Iterator[None]:
    """Hold the lock of the piece of work *name*."""
    make_shared(layout.lock(name[:32]))
    with FileLock(layout.lock(name[:32])):
        yield


def take_turn(layout: Layout, name: str, *, within: float) -> FileLock | None:
    """Return the lock of the piece of work *name*, acquired; ``None`` where somebody else has it.

    Args:
        within: seconds to wait for that one.

    Raises:
        OSError: the filesystem has no locks, or the lock cannot be written.
    """
    make_shared(layout.lock(name))
    lock = FileLock(layout.lock(name))
    try:
        lock.acquire(timeout=within)
    except Timeout:
        return None
    return lock


@contextlib.contextmanager
def _intact(layout: Layout) -> Iterator[None]:
    """Say what to do where the lock of the store, which filelock keeps as a database, is damaged or cannot be had.

    It is not replaced here: somebody else might do the same at the same time, and each would hold another lock.
    """
    try:
        yield
    except (sqlite3.DatabaseError, OSError, ValueError) as error:  # the last where it can only be read
        path = layout.lock("store")
        odd = os.path.lexists(path) and (os.path.islink(path) or not os.path.isfile(path))
        if not odd and isinstance(error, OSError):
            raise  # the system refuses, and says what
        if not odd and isinstance(error, sqlite3.OperationalError | ValueError):
            raise StoreUnwritableError(
                f"The lock of the store cannot be had ({error})",
                path=path,
                remedy="See that the disk is neither full nor failing and that the lock can be written, and run again.",
            ) from error
        raise StoreError(
            f"The lock of the store is damaged ({'it is no file' if odd else error})",
            path=path,
            remedy="Remove it while nothing uses the store; it is made anew.",
        ) from error
