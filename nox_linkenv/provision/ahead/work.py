"""What is to be done for the sessions to come, as far as :mod:`~.leader` has told it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nox_linkenv.provision.ahead.leader import Coming
from nox_linkenv.resolve.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nox_linkenv.provision.environment import Environment

__all__ = ["Session", "Work"]


@dataclass(slots=True, eq=False)
class Session:
    """A session to come, and how far it has been prepared.

    Args:
        coming: what the host says of it.
        environment: a throwaway one, in which everything is installed that the session is expected to ask for.
        done: how many requests have been carried out there.
        compiled: whether what sessions import has been compiled for it.
        over: whether nothing more is to be done for it.
    """

    coming: Coming
    environment: Environment | None = None
    done: int = 0
    compiled: bool = False
    over: bool = False


@dataclass(slots=True)
class Work:
    """What is to be done, as far as that is known.

    Args:
        skeletons: interpreters, as the host asks for them, and parameters of virtualenv, the next one first.
        settings: of the environments, by name.
        prefix: absolute path of the environment of the session whose requests these are.
        requests: of that session.
        sessions: that are expected to ask for the same.
        imported: paths, relative to site-packages, of the modules that these sessions import, if that is known.
        begun: all sessions for which something has been done.
    """

    skeletons: list[tuple[Any, Sequence[str]]] = field(default_factory=list)
    settings: Mapping[str, Any] = field(default_factory=dict)
    prefix: str = ""
    requests: list[Request] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    imported: frozenset[str] = frozenset()
    begun: list[Session] = field(default_factory=list)

    def take(self, message: Mapping[str, Any]) -> None:
        """Take in a *message* of :mod:`~.leader`."""
        self.skeletons.extend(map(tuple, message.get("skeletons", ())))
        if "sessions" in message:
            self.settings, self.prefix, self.requests = message["settings"], message["prefix"], []
            self.imported = frozenset()
            self.sessions = [Session(Coming(*session)) for session in message["sessions"]]
        if "request" in message:
            arguments, environ, directory = message["request"]
            self.requests.append(Request(tuple(arguments), environ, directory))
        self.imported |= frozenset(message.get("imported", ()))
        for session in self.sessions:
            session.over |= session.coming.name == message.get("begun")

    def next_session(self) -> Session | None:
        """Return the session to do something for: the last one first, as the host itself comes from the other end."""
        coming = [session for session in reversed(self.sessions) if not session.over]
        found = next((session for session in coming if session.done < len(self.requests)), None)
        if found is None and self.imported:
            found = next((session for session in coming if session.environment and not session.compiled), None)
        if found is not None and found not in self.begun:
            self.begun.append(found)
        return found
