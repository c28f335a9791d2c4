"""The end of a run of tox, which calls no plugin then: what was done is summed up when the process ends."""

from __future__ import annotations

import atexit
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nox_linkenv.store.journal import Session

__all__ = ["note_ended"]

_ended: Final[list[Session]] = []


def note_ended(session: Session, verbosity: int) -> None:
    """Take note of what was done for *session*, to be told after tox's own last line.

    Args:
        verbosity: of tox; at 0 it shows only errors, and nothing is told.
    """
    if verbosity <= 0:
        return
    if not _ended:
        atexit.register(_tell)
    _ended.append(session)


def _tell() -> None:
    if len(_ended) > 1:
        from nox_linkenv.provision.summary import summary

        if (line := summary(_ended)) is not None:
            sys.stdout.flush()  # where both go to one place, this comes after tox's own words
            sys.stderr.write(f"linked: {line}\n")
