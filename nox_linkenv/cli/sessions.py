"""Which sessions a command is about: by name, by environment, or those of the last run in this project."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from nox_linkenv.cli.options import opened, settings_of
from nox_linkenv.config import similar_to
from nox_linkenv.errors import EnvError
from nox_linkenv.store.journal import Session, read

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

__all__ = ["known_names", "named", "of_last_run", "plain"]


def known_names(arguments: argparse.Namespace) -> list[str]:
    """Return the names of the sessions that are known, to complete a word of *arguments*."""
    store = opened(settings_of(arguments))
    return sorted({entry.name for entry in read(store.layout) if isinstance(entry, Session)})


def named(name: str, sessions: Sequence[Session]) -> Sequence[Session]:
    """Return the last session of that *name*, or in the environment of that path.

    Raises:
        EnvError: there is none.
    """
    here, prefix = os.getcwd(), os.path.realpath(name)
    found = [session for session in sessions if os.path.realpath(session.prefix) == prefix]
    found = found or [session for session in sessions if plain(session.name) == plain(name)]
    if not found:
        names = sorted({session.name for session in sessions})
        raise EnvError(
            f"Nothing is known of a session {name!r}{similar_to(plain(name), map(plain, names))}",
            remedy=f"Known are: {', '.join(names) or 'none'}. A session is noted when it ends.",
        )
    return ([session for session in found if session.project == here] or found)[-1:]


def of_last_run(sessions: Sequence[Session]) -> Sequence[Session]:
    """Return the sessions of the last run in the project of the current directory.

    Raises:
        EnvError: there was none.
    """
    here = os.getcwd()
    runs = [session.run for session in sessions if session.project == here]
    if not runs:
        raise EnvError(
            "Nothing is known of sessions in this project",
            path=here,
            remedy="Go to the directory of the noxfile or of tox's configuration, or name a session.",
        )
    return [session for session in sessions if session.run == runs[-1] and session.project == here]


def plain(name: str) -> str:
    """Return the *name* of a session as its directory is called: ``tests-3.12`` is in ``tests-3-12``."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
