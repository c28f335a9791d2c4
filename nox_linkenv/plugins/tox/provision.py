"""Where tox puts an environment: a directory that it empties itself, and in which it keeps files of its own."""

from __future__ import annotations

import contextlib
import os
from typing import Final

from nox_linkenv.env.receipt import Receipt, remove_receipt
from nox_linkenv.provision.installer import Provision
from nox_linkenv.store.trash import donor_name, put_away, trash_name

__all__ = ["LinkedProvision"]

#: tox holds this lock of a package environment while it makes it anew.
_LOCK: Final = "file.lock"
#: What belongs to a virtual environment; everything else in the directory is tox's or the user's.
_PARTS: Final = (
    ".gitignore",
    ".linkenv",
    "CACHEDIR.TAG",
    "Lib",
    "Scripts",
    "bin",
    "include",
    "lib",
    "lib64",
    "pyvenv.cfg",
    "share",
)


class LinkedProvision(Provision):
    """Provisions an environment in a directory that is never replaced as a whole."""

    _former: tuple[Receipt, str] | None = None

    def put_aside(self) -> None:
        """Move away what stands there, when tox is about to remove it: the new environment may take over from it."""
        former = self.receipt
        if former is None or os.path.islink(self.prefix):
            return
        self._receipt = None
        remove_receipt(self.prefix)
        aside = donor_name(self.prefix)
        os.mkdir(aside)
        for name in os.listdir(self.prefix):
            if name != _LOCK:
                with contextlib.suppress(OSError):  # tox removes it, or says why it cannot be
                    os.rename(f"{self.prefix}/{name}", f"{aside}/{name}")
        self._former = (former, aside)

    def clear(self) -> None:
        """Move away what a killed run has left, so that virtualenv itself finds the place free."""
        self._set_aside(None)

    def _set_aside(self, skeleton: str | None) -> str | None:
        self._receipt = None
        for name in _PARTS:
            if os.path.lexists(f"{self.prefix}/{name}"):
                aside = trash_name(self.prefix)
                if put_away(f"{self.prefix}/{name}", aside):
                    self.trash.append(aside)
        if self._former is None:
            return None
        (former, aside), self._former = self._former, None
        if self.succeeds(former, skeleton):
            return aside
        self.trash.append(aside)
        return None
