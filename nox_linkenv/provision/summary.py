"""The line at the end of a run: what it took to make the environments, and how long pip had taken for the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_linkenv.provision.account import account, is_hit
from nox_linkenv.units import bytes_, count_of, seconds_

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_linkenv.store.journal import Session

__all__ = ["summary"]


def summary(sessions: Sequence[Session]) -> str | None:
    """Return one line on a run of these *sessions*; ``None`` where the line of each install has said it all.

    That is where fewer than two environments were made or installed into.  Nothing is claimed that was not measured:
    time is compared with what pip ran for when it gave the very same answers.
    """
    busy = [session for session in sessions if session.installs or account([session]).made]
    found = account(busy)
    if found.sessions < 2:
        return None
    made = f"{count_of(found.made, 'environment')} made" if found.made else "no environment made"
    requests = count_of(found.requests, "request")
    parts = [f"{made} and {requests} answered in {seconds_(found.making + found.installing)}"]
    if found.compared:
        difference = found.saved_seconds
        of = "" if found.compared == found.requests else f" for {found.compared} of them"
        less = f"{seconds_(abs(difference))} {'less' if difference >= 0 else 'more'}"
        parts.append(f"{less} than pip ran{of} when it was asked here ({seconds_(found.pip_seconds)})")
    if found.linked:
        parts.append(f"{bytes_(found.linked)} linked instead of written")
    misses = [install for session in busy for install in session.installs if not is_hit(install)]
    if misses:
        parts.append(f"{len(misses)} by pip: {misses[0].reason}")
    return "; ".join(parts)
