"""What sessions took and what they saved: added up over what the journal has of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nox_linkenv.provision.policy import Creation
from nox_linkenv.resolve.request import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nox_linkenv.store.journal import Installed, Session

__all__ = ["Account", "account", "is_hit", "joined"]

#: The sources of answers for which pip need not run.
_HITS = frozenset({Source.REUSED.value, Source.RENEWED.value, Source.AT_HAND.value})


@dataclass(frozen=True, slots=True)
class Account:
    """Sums over some sessions.

    Args:
        sessions: number of them.
        made: number of environments that were made for them, not kept.
        requests: number of their requests; ``hits`` of them were answered without pip.
        making, installing: seconds for the environments and for the requests.
        compared: number of hits for which it is known how long pip ran when it gave the same answer.
        pip_seconds, instead_seconds: seconds that pip ran for these then, and that they took instead.
        linked, copied: bytes of files that were not written, and that were copied.
        distributions: number of those linked.
    """

    sessions: int
    made: int
    requests: int
    hits: int
    making: float
    installing: float
    compared: int
    pip_seconds: float
    instead_seconds: float
    linked: int
    copied: int
    distributions: int

    @property
    def saved_seconds(self) -> float:
        """Seconds by which the compared hits were faster than pip; negative where they were slower."""
        return self.pip_seconds - self.instead_seconds


def is_hit(install: Installed) -> bool:
    """Return whether pip did not have to answer."""
    return install.source in _HITS


def joined(sessions: Iterable[Session]) -> list[Session]:
    """Return *sessions* with those that have several lines, as they have very many requests, made one."""
    found: list[Session] = []
    for session in sessions:
        last = found[-1] if found else None
        if session.made is None and last is not None and (last.run, last.prefix) == (session.run, session.prefix):
            found[-1] = last._replace(installs=(*last.installs, *session.installs))
        else:
            found.append(session)
    return found


def account(sessions: Iterable[Session]) -> Account:
    """Add up what the *sessions* took."""
    sessions = list(sessions)
    makings = [session.made for session in sessions if session.made is not None]
    made = [making for making in makings if making.origin != Creation.KEPT.value]
    installs = [install for session in sessions for install in session.installs]
    compared = list(_compared(installs))
    return Account(
        sessions=len(makings),
        made=len(made),
        requests=len(installs),
        hits=sum(map(is_hit, installs)),
        making=sum(making.seconds for making in made),
        installing=sum(install.seconds for install in installs),
        compared=len(compared),
        pip_seconds=sum(pip for pip, _ in compared),
        instead_seconds=sum(instead for _, instead in compared),
        linked=sum(making.linked for making in makings) + sum(install.linked for install in installs),
        copied=sum(making.copied for making in makings) + sum(install.copied for install in installs),
        distributions=sum(install.distributions for install in installs),
    )


def _compared(installs: Iterable[Installed]) -> Iterator[tuple[float, float]]:
    """Yield how long pip ran for the answer, and how long it took without pip, of each hit where that is known."""
    for install in installs:
        if is_hit(install) and install.pip_seconds is not None:
            yield install.pip_seconds, install.seconds
