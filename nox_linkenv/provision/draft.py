"""What the journal is to say of a session, gathered while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_linkenv.provision.policy import Creation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_linkenv.resolve.request import Outcome
    from nox_linkenv.store.journal import Installed, Session

__all__ = ["Draft"]


class Draft:
    """The draft of one session's line.

    Args:
        opened: when the environment was first thought of, in seconds since the epoch.

    Attributes:
        creation: how the environment came to stand.
        making: seconds that took.
        volume: bytes of its files that were linked, and that were copied.
        outcomes: what became of the requests; see :meth:`add`.
    """

    def __init__(self, opened: float) -> None:
        self.opened = opened
        self.creation = Creation.KEPT
        self.making = 0.0
        self.volume = (0, 0)
        self.outcomes: list[Outcome] = []
        self._arguments: list[Sequence[str]] = []

    def add(self, arguments: Sequence[str], outcome: Outcome) -> None:
        """Add the *outcome* of a request with these *arguments* of ``pip install``."""
        self.outcomes.append(outcome)
        self._arguments.append(arguments)

    def session(
        self, *, run: str, host: str, project: str, name: str, prefix: str, ended: float, by_virtualenv: str | None
    ) -> Session:
        """Return what is to be written.

        Args:
            run, host, project, name, prefix, ended: as in :class:`~nox_linkenv.store.journal.Session`.
            by_virtualenv: why virtualenv made the environment, in one clause.
        """
        from nox_linkenv.store.journal import Made, Session

        return Session(
            run=run,
            host=host,
            project=project,
            name=name,
            prefix=prefix,
            began=self.opened,
            ended=ended,
            made=Made(self.creation.value, by_virtualenv, round(self.making, 4), *self.volume),
            installs=tuple(map(_installed, self.outcomes, self._arguments)),
        )


def _installed(outcome: Outcome, arguments: Sequence[str]) -> Installed:
    from nox_linkenv.store.journal import Installed

    return Installed(
        source=outcome.course.source.value,
        reason=outcome.course.reason,
        seconds=round(outcome.seconds, 4),
        distributions=len(outcome.installed),
        pip_seconds=outcome.pip_seconds,
        linked=outcome.linked,
        copied=outcome.copied,
        inputs=outcome.course.inputs,
        arguments=tuple(arguments),
    )
