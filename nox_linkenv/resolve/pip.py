"""The seam to pip: what a host must be able to do with it."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Pip", "TimedPip", "observed"]

_OBSERVER: Final = os.path.join(os.path.dirname(__file__), "observer.py")


def observed(command: Sequence[str], record: str | None) -> list[str]:
    """Return *command*, which runs pip, with what pip reads written to the file *record*.

    Args:
        command: an interpreter with its options, then ``-m pip``, or ``-c`` and code that runs pip so that nothing is
            imported from the current directory, then pip's own arguments.  The script ``pip`` is run as it stands, and
            what it reads is not known.
        record: absolute path; ``None`` leaves the command as it is.
    """
    at = 1
    while command[at] not in ("-m", "-c") and command[at].startswith("-"):
        at += 1
    if record is None or command[at] not in ("-m", "-c"):
        return list(command)
    return [*command[:at], _OBSERVER, record, command[at], *command[at + 2 :]]


class Pip(Protocol):
    """Runs ``python -m pip`` of one environment, with the host's variables, directory, output and error handling."""

    def ask(self, arguments: Sequence[str], *, record: str) -> bool:
        """Run the user's ``install`` with *arguments* added, which keep it from installing.

        A failure is the user's: it is reported as if the command had been the user's own, and raises what the host
        raises.  Returns false where the host takes a failure for a success.

        Args:
            record: the file that :func:`observed` wants.
        """
        ...

    def fetch(self, arguments: Sequence[str], *, record: str | None = None) -> bool:
        """Run ``pip`` with *arguments*, quietly.  Returns whether it succeeded.

        Args:
            record: the file that :func:`observed` wants.
        """
        ...

    def install(self, arguments: Sequence[str]) -> bool:
        """Run ``pip install`` with *arguments*, as the host would have run the user's."""
        ...


class TimedPip:
    """A pip whose running time is measured.

    Args:
        pip: does the work.

    Attributes:
        seconds: for which its processes have run; ``None`` where none has.
    """

    def __init__(self, pip: Pip) -> None:
        self._pip = pip
        self.seconds: float | None = None

    def apart(self) -> TimedPip:
        """Return the same pip with a time of its own, for what may turn out to be of no use."""
        return TimedPip(self._pip)

    def count(self, other: TimedPip) -> None:
        """Add the time of *other*, which was :meth:`apart`."""
        if other.seconds is not None:
            self.seconds = (self.seconds or 0.0) + other.seconds

    def ask(self, arguments: Sequence[str], *, record: str) -> bool:
        with self._timed():
            return self._pip.ask(arguments, record=record)

    def fetch(self, arguments: Sequence[str], *, record: str | None = None) -> bool:
        with self._timed():
            return self._pip.fetch(arguments, record=record)

    def install(self, arguments: Sequence[str]) -> bool:
        with self._timed():
            return self._pip.install(arguments)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds = (self.seconds or 0.0) + time.perf_counter() - began
