"""What tox decides about its environments: it empties their directories itself, and keeps files of its own there."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Final

from nox_linkenv.config import on_ci
from nox_linkenv.env.receipt import DIRECTORY, Receipt, remove_receipt
from nox_linkenv.provision.policy import Cleared, LeadingPolicy
from nox_linkenv.store.directories import is_directory
from nox_linkenv.store.trash import donor_name, put_away, trash_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nox_linkenv.config import Settings
    from nox_linkenv.progress import Display
    from nox_linkenv.provision.ahead.leader import Queue
    from nox_linkenv.provision.environment import Environment
    from nox_linkenv.store.journal import Session

__all__ = ["ToxPolicy"]

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


class ToxPolicy(LeadingPolicy):
    """The directory of an environment is never replaced as a whole.

    Args:
        prefix, settings: absolute path and settings of the environment.
        quiet: whether it is not shown what is being done.
        project: path of the directory that tox's configuration is in.
        coming: returns the paths of the environments that tox comes to next.
        queue: returns what is known of them, ``None`` where nothing is to be done for them ahead.
        ended: told what was done for a session which is over.
    """

    host = "tox"

    def __init__(
        self,
        prefix: str,
        settings: Settings,
        *,
        quiet: bool,
        project: str,
        coming: Callable[[], Sequence[str]],
        queue: Callable[[], Queue | None],
        ended: Callable[[Session], None],
    ) -> None:
        super().__init__(prefix, settings)
        self._quiet = quiet
        self._project = project
        self._coming = coming
        self._ended = ended
        self._queue = queue
        self._former: tuple[Receipt, str] | None = None

    def project_directory(self) -> str:
        return self._project

    def ended(self, session: Session) -> None:
        self._ended(session)

    def display(self) -> Display | None:
        from nox_linkenv.progress import display_on

        return None if self._quiet else display_on(sys.stderr, None)

    def upcoming(self) -> Sequence[str]:
        return () if on_ci() else self._coming()

    def queue(self) -> Queue | None:
        return self._queue()

    def put_aside(self, environment: Environment) -> None:
        """Move away what stands there, when tox is about to remove it: the new environment may take over from it."""
        former, prefix = environment.receipt, environment.prefix
        if former is None or os.path.islink(prefix):
            return
        remove_receipt(prefix)
        environment.forget_receipt()
        aside = donor_name(prefix)
        os.mkdir(aside)
        for name in os.listdir(prefix):
            if name != _LOCK:
                with contextlib.suppress(OSError):  # tox removes it, or says why it cannot be
                    os.rename(f"{prefix}/{name}", f"{aside}/{name}")
        self._former = (former, aside)

    def clear(self, prefix: str, former: Receipt | None, serves: Callable[[Receipt], bool]) -> Cleared:
        """Move away what a killed run has left, and take over from what was put aside before.

        Where virtualenv has made the environment, whose the files are nobody knows: the place may not have been empty.
        """
        trash = []
        ours = is_directory(prefix) and is_directory(f"{prefix}/{DIRECTORY}")
        for name in _PARTS if ours and (former is None or former.skeleton is not None) else ():
            if os.path.lexists(f"{prefix}/{name}"):
                aside = trash_name(prefix)
                if put_away(f"{prefix}/{name}", aside):
                    trash.append(aside)
        if self._former is None:
            return Cleared(trash=tuple(trash))
        (former, aside), self._former = self._former, None
        if serves(former):
            return Cleared(previous=aside, trash=tuple(trash))
        return Cleared(trash=(*trash, aside))

    def is_free(self, prefix: str) -> bool:
        """Return whether no part of a virtual environment stands there: virtualenv writes between somebody's files."""
        return not os.path.islink(prefix) and not any(os.path.lexists(f"{prefix}/{name}") for name in _PARTS)
