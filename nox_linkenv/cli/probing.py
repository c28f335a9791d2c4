"""Trying what the filesystems allow, between the very directories that matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_linkenv.linking import LinkMode
from nox_linkenv.store.layout import Layout
from nox_linkenv.store.link_policy import arrange

if TYPE_CHECKING:
    from nox_linkenv.config import Settings
    from nox_linkenv.store.link_policy import Arrangement

__all__ = ["arrangement_in", "in_words"]


def arrangement_in(directory: str, settings: Settings) -> Arrangement:
    """Return how files would get into an environment in *directory*."""
    return arrange(settings.link_mode, Layout(settings.store_root), directory, settings.companion)


def in_words(found: Arrangement, wanted: LinkMode) -> str:
    """Return which link mode would be used, and why."""
    where = f" from the companion store {found.source}" if found.companion else ""
    if found.why is not None:
        return f"{found.mode.value}{where}, because {found.why}"
    return f"{found.mode.value}, {'the best that works' if wanted is LinkMode.AUTO else 'as the setting says'}"
