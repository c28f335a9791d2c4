"""Renewing an old answer: it stands as long as the pages that pip read for it say the same."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from nox_linkenv.resolve.pages import PageState, load_state, save_state
from nox_linkenv.resolve.record import means_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nox_linkenv.resolve.cache import Reading
    from nox_linkenv.store import Store

__all__ = ["NotRenewedError", "renew"]


class NotRenewedError(Exception):
    """pip has to be asked again; *clause* says why."""

    def __init__(self, clause: str) -> None:
        super().__init__(clause)
        self.clause = clause


def renew(
    store: Store, reading: Reading, environ: Mapping[str, str], indexes: Sequence[str], *, now: float, age: float
) -> float:
    """Return the latest moment at which pip is known to have given the same answer, in seconds since the epoch.

    Args:
        reading: what pip read when it answered.
        environ: the variables that pip would run with.
        indexes: URLs of the indexes, which may hold a user name and password.
        now: seconds since the epoch.
        age: how old, in seconds, what is known of a page may be.

    Raises:
        NotRenewedError: it would give another, or it cannot be told.
    """
    if reading.obstacle is not None:
        raise NotRenewedError(reading.obstacle)
    if reading.pages and reading.means != means_digest(environ):
        raise NotRenewedError("indexes are reached by other means than before")
    oldest = now
    unknown: list[PageState] = []
    for name, identity in reading.pages:
        state = load_state(store, name)
        if state is None:
            raise NotRenewedError("it is not known any more what pip read")
        if state.identity != identity:  # so it was seen after this answer was given
            raise NotRenewedError(_changed(state))
        if urlsplit(state.page.url).scheme == "file":
            if _local(state) != identity:
                raise NotRenewedError(_changed(state))
        elif 0 <= now - state.time < age:
            oldest = min(oldest, state.time)
        else:
            unknown.append(state)
    if unknown:
        _compare(store, unknown, environ, indexes, now=now)
    return oldest


def _changed(state: PageState) -> str:
    return f"{state.page.url} has changed"


def _compare(
    store: Store, states: Sequence[PageState], environ: Mapping[str, str], indexes: Sequence[str], *, now: float
) -> None:
    """Ask whether all pages are what they were, and keep what is learned of them.

    Raises:
        NotRenewedError: one is not.
    """
    from nox_linkenv.resolve.page_client import UnreachableError, ask_pages

    known = {state.page: state.identity for state in states}
    try:
        for state in ask_pages(states, environ, indexes, now=now):
            save_state(store, state)
            if known[state.page] != state.identity:
                raise NotRenewedError(_changed(state))
    except UnreachableError as error:
        raise NotRenewedError(f"the index cannot be asked: {error}") from error


def _local(state: PageState) -> str:
    """Return what the identity of a page on this disk is now."""
    import mimetypes

    path = unquote(urlsplit(state.page.url).path)
    if not os.path.isfile(path):
        return PageState.identify(404, "", None, "")
    with open(path, "rb") as stream:
        digest = hashlib.sha256(stream.read()).hexdigest()
    kind = mimetypes.guess_type(state.page.url)[0] or "text/plain"  # as pip does
    return PageState.identify(200, state.page.url, kind, digest)
