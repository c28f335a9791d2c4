"""The environment of a session as one that projects are built in: without isolation, with what is installed there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nox_linkenv.projects.backend import BackendError
from nox_linkenv.resolve.cache import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_linkenv.resolve.request import Request

__all__ = ["SessionEnvironment"]


@dataclass(frozen=True, slots=True)
class SessionEnvironment:
    """The environment that a project is to be installed in; nothing is installed for the build.

    What is there when the build runs counts as the build reads it, file by file.

    Attributes:
        prefix: its absolute path.
        oldest: the time of now, in seconds since the epoch: no resolution has a say.
    """

    prefix: str
    oldest: float

    @property
    def plans(self) -> tuple[str, ...]:
        return ()

    @property
    def reading(self) -> Reading:
        return Reading()

    def install(self, request: Request) -> None:
        raise BackendError("without isolation, nothing is installed for a build")

    def wheels(self) -> dict[str, str] | None:
        return None

    def close(self, environ: Mapping[str, str]) -> None:
        """Do nothing: the session goes on in it."""
