"""Requests and their outcomes, as hosts see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_linkenv.resolve.cache import Reading

__all__ = ["Outcome", "Request"]


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request.

    Args:
        installed: name and version of what has been linked.
        message: one line that says what was done and why.
        warnings: lines about files that were copied or had to be repaired.
        resolved: when pip gave the answer, in seconds since the epoch; ``None`` where pip did all by itself.
        reading: what pip read for it; ``None`` where pip did all by itself.
        seconds: that it took.
    """

    installed: tuple[tuple[str, str], ...]
    message: str
    warnings: tuple[str, ...] = ()
    resolved: float | None = None
    reading: Reading | None = None
    seconds: float = 0.0

    def summary(self) -> str:
        """Return :attr:`message` with how much was linked and how long it took."""
        count = len(self.installed)
        linked = f"{count} distribution{'s' * (count != 1)}, " if count else ""
        return f"{self.message} ({linked}{self.seconds:.{1 if self.seconds >= 1 else 2}f} s)"
