"""Environments of finished tests, for the next ones to take over from."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from nox_linkenv.env.receipt import DIRECTORY
from nox_linkenv.store.directories import ancestors, is_directory, names_of
from nox_linkenv.store.trash import empty_trash

if TYPE_CHECKING:
    from collections.abc import Callable

    from nox_linkenv.env.receipt import Receipt

__all__ = ["Pool"]


class Pool:
    """Environments of finished tests, for the next ones to take over from.

    Args:
        size: the most that are kept.
    """

    def __init__(self, size: int = 2) -> None:
        self.size = size
        self._donors: list[tuple[Receipt, str]] = []

    def put(self, prefix: str, receipt: Receipt | None) -> None:
        """Take the environment at *prefix* away from there, at once; remove what is not worth keeping."""
        aside = f"{os.path.dirname(prefix)}/.former-{secrets.token_hex(4)}"
        if is_directory(prefix):
            with contextlib.suppress(OSError):
                os.chmod(prefix, 0o700)  # a directory that is not writable cannot be moved
        os.rename(prefix, aside)
        if receipt is None or receipt.skeleton is None or not _is_plain(aside, receipt) or _is_in_use(prefix, aside):
            empty_trash(aside)
            return
        ours = f"{aside}/{DIRECTORY}"
        with contextlib.suppress(OSError):
            for name in names_of(ours):
                if not name.endswith((".state", ".json")):
                    empty_trash(f"{ours}/{name}")
        self._donors.append((receipt, aside))
        while len(self._donors) > self.size:
            empty_trash(self._donors.pop(0)[1])

    def take(self, serves: Callable[[Receipt], bool]) -> str | None:
        """Return the latest environment whose receipt *serves*."""
        for at in reversed(range(len(self._donors))):
            receipt, path = self._donors[at]
            if serves(receipt):
                del self._donors[at]
                return path
        return None


def _is_plain(prefix: str, receipt: Receipt) -> bool:
    """Return whether site-packages lies in the environment itself: nothing is taken from where a symlink leads."""
    directories = [DIRECTORY, *(part for path in receipt.facts.site_packages for part in ancestors(path))]
    return is_directory(prefix) and all(is_directory(f"{prefix}/{directory}") for directory in directories)


def _is_in_use(prefix: str, aside: str) -> bool:
    """Return whether a process works in the environment: what it still writes there must not reach another one."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return False
    inside = (f"{prefix}/", f"{aside}/")
    for name in names:
        if name.isdecimal():
            with contextlib.suppress(OSError):
                if (os.readlink(f"/proc/{name}/cwd") + "/").startswith(inside):
                    return True
    return False
