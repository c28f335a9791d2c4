"""Removing environments whose session is over, without holding up anyone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nox_linkenv.config import Cleanup
from nox_linkenv.maintenance.background import Tasks, schedule
from nox_linkenv.store.roots import forget_root
from nox_linkenv.store.trash import trash_name

if TYPE_CHECKING:
    from nox_linkenv.store import Store

__all__ = ["remove_environment", "wants_removal"]


def wants_removal(cleanup: Cleanup, *, success: bool) -> bool:
    """Return whether the environment of a session that has ended so is to be removed."""
    return cleanup is Cleanup.ALWAYS or (cleanup is Cleanup.SUCCESS and success)


def remove_environment(store: Store, prefix: str) -> None:
    """Take the environment at *prefix* away: it is renamed now, and removed by upkeep when this process has ended.

    Raises:
        OSError: it cannot be renamed.
    """
    if os.path.islink(prefix) or not os.path.lexists(prefix):
        return
    aside = trash_name(prefix)
    os.rename(prefix, aside)
    forget_root(store, prefix)
    schedule(store, Tasks(trash=[aside]))
