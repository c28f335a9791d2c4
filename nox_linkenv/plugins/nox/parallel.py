"""The sum of a run of ``nox --parallel``, whose sessions are processes of their own: the journal has what they did."""

from __future__ import annotations

import os

from nox.logger import logger

from nox_linkenv.config import load_settings
from nox_linkenv.errors import LinkenvError
from nox_linkenv.provision.account import joined
from nox_linkenv.provision.summary import summary
from nox_linkenv.store.journal import Session, read
from nox_linkenv.store.layout import Layout

__all__ = ["run_of", "tell"]

#: Where Linux has the start of a process, counted from the end of its name (proc(5)).
_START = 19


def run_of(process: int) -> str:
    """Return the name in the journal of the parallel run whose parent is *process*, the same one in all of its workers.

    It has the moment at which that process started, as numbers of processes come again; where the system does not say
    it in a file, the number alone.
    """
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as stream:
            started = stream.read().rpartition(")")[2].split()[_START]
    except (OSError, IndexError):
        started = "nox"
    return f"{process}-{started}"


def tell(began: float) -> None:
    """Say in the parent what was done for the sessions of its workers.

    Args:
        began: when this run did, in seconds since the epoch.
    """
    try:
        settings = load_settings(directory=os.getcwd())
    except (LinkenvError, OSError):
        return  # each worker has said it
    if settings.quiet:
        return
    run = run_of(os.getpid())
    entries = read(Layout(settings.store_root), since=began)
    line = summary(joined(entry for entry in entries if isinstance(entry, Session) and entry.run == run))
    if line is not None:
        logger.info(f"linked: {line}")
