"""Requests and their outcomes, as hosts see them."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_linkenv.resolve.cache import Reading

__all__ = ["Course", "Outcome", "Request", "Source"]


class Source(enum.Enum):
    """Where the answer to a request came from."""

    REUSED = "reused"
    RENEWED = "renewed"
    AT_HAND = "at hand"
    ASKED = "asked pip"
    LEFT = "left to pip"


class Request(NamedTuple):
    """One ``pip install`` in an environment.

    Args:
        arguments: those of ``pip install``, verbatim.
        environ: the variables it runs with.
        directory: the absolute path of the directory it runs in.
    """

    arguments: tuple[str, ...]
    environ: Mapping[str, str]
    directory: str


class Course(NamedTuple):
    """Which way a request took.

    Args:
        source: where its answer came from.
        message: one line that says what was done and why.
        reason: why pip had to do it, in one clause; ``None`` where it had not.
        inputs: what differs from the last such request, such as ``requirements.txt changed``, the most telling first.
    """

    source: Source
    message: str
    reason: str | None = None
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request.

    Args:
        installed: name and version of what has been linked.
        course: which way it took.
        warnings: lines about files that were copied or had to be repaired.
        resolved: when pip gave the answer, in seconds since the epoch; ``None`` where pip did all by itself.
        reading: what pip read for it; ``None`` where pip did all by itself.
        seconds: that it took.
        pip_seconds: that pip has run for, now or when it gave this answer; ``None`` where that was not measured.
        linked: bytes of the files that were not written, because they were linked, cloned or taken over.
        copied: bytes of the files of the store that had to be copied.
    """

    installed: tuple[tuple[str, str], ...]
    course: Course
    warnings: tuple[str, ...] = ()
    resolved: float | None = None
    reading: Reading | None = None
    seconds: float = 0.0
    pip_seconds: float | None = None
    linked: int = 0
    copied: int = 0

    @property
    def message(self) -> str:
        """One line that says what was done and why."""
        return self.course.message

    def summary(self) -> str:
        """Return :attr:`message` with how much was linked and how long it took."""
        count = len(self.installed)
        linked = f"{count} distribution{'s' * (count != 1)}, " if count else ""
        return f"{self.message} ({linked}{self.seconds:.{1 if self.seconds >= 1 else 2}f} s)"
