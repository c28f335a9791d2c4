"""The process that works for the sessions to come while another session goes on; see :mod:`~.ahead`, which starts it.

It ends with nox: it reads from a pipe that nox holds, and once that is closed, stops what it does and begins nothing
more.  What it is told are lines of JSON; it says nothing.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nox.virtualenv import InterpreterNotFound, VirtualEnv

from nox_linkenv.config import load_settings
from nox_linkenv.env.capture import capture_as
from nox_linkenv.env.interpreter.isolated import pip_command
from nox_linkenv.env.interpreter.search_cache import absolute_path, save_interpreter
from nox_linkenv.env.skeleton import creator, skeleton_name, stored_skeleton
from nox_linkenv.env.temporary import scratch_place
from nox_linkenv.errors import LinkenvError
from nox_linkenv.projects.build_config import read_declared
from nox_linkenv.projects.declarative import writes_nothing
from nox_linkenv.provision.cleanup import remove_environment
from nox_linkenv.provision.environment import Environment
from nox_linkenv.provision.installer import install
from nox_linkenv.provision.keys import RequestKeys
from nox_linkenv.resolve.key import Key, Unkeyable
from nox_linkenv.resolve.pip import observed
from nox_linkenv.resolve.request import Request
from nox_linkenv.store import Store
from nox_linkenv.store.temporary import temporary_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["main"]

_NICENESS: Final = 5
#: Seconds between two attempts to stop what has been started.
_PAUSE: Final = 0.2


class _StoppedError(Exception):
    """Nothing more is to be done for a session: its requests are not known, or only pip itself can carry them out."""


@dataclass(slots=True)
class _Session:
    """A session to come.

    Args:
        name: as nox has it.
        interpreter: as it is asked for; ``None`` for nox's own.
        parameters: of virtualenv.
        environment: a throwaway one, in which everything is installed that the session is expected to ask for.
        done: how many requests have been carried out there.
        over: whether nothing more is to be done for it.
    """

    name: str
    interpreter: str | None
    parameters: Sequence[str]
    environment: Environment | None = None
    done: int = 0
    over: bool = False


@dataclass(slots=True)
class _Work:
    """What is to be done, as far as that is known.

    Args:
        skeletons: interpreters and parameters of virtualenv, the next one first.
        directory: where settings are looked for.
        prefix: absolute path of the environment of the session whose requests these are.
        requests: of that session.
        sessions: that are expected to ask for the same.
    """

    skeletons: list[tuple[str | None, Sequence[str]]] = field(default_factory=list)
    directory: str = ""
    prefix: str = ""
    requests: list[Request] = field(default_factory=list)
    sessions: list[_Session] = field(default_factory=list)

    def take(self, message: Mapping[str, Any]) -> None:
        """Take in a *message* of :mod:`~.ahead`."""
        self.skeletons.extend(map(tuple, message.get("skeletons", ())))
        if "sessions" in message:
            self.directory, self.prefix, self.requests = message["directory"], message["prefix"], []
            self.sessions = [_Session(*session) for session in message["sessions"]]
        for arguments, environ, directory in message.get("requests", ()):
            self.requests.append(Request(tuple(arguments), environ, directory))
        for session in self.sessions:
            session.over |= session.name == message.get("begun")

    def next_session(self) -> _Session | None:
        """Return the session to install for: the last one first, as nox itself comes from the other end."""
        waiting = (part for part in reversed(self.sessions) if not part.over and part.done < len(self.requests))
        return next(waiting, None)


class _Pip:
    """The pip of a throwaway environment, which only answers."""

    def __init__(self, prefix: str, request: Request, over: threading.Event) -> None:
        self._prefix = prefix
        self._request = request
        self._over = over

    def ask(self, arguments: Sequence[str], *, record: str) -> bool:
        if not self.fetch(["install", *self._request.arguments, *arguments], record=record):
            raise _StoppedError
        return True

    def fetch(self, arguments: Sequence[str], *, record: str | None = None) -> bool:
        if self._over.is_set():
            raise _StoppedError
        command = [*pip_command(f"{self._prefix}/bin/python"), *arguments]
        done = subprocess.run(
            observed(command, record),
            env=dict(self._request.environ),
            cwd=self._request.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode == 0

    def install(self, arguments: Sequence[str]) -> bool:
        raise _StoppedError


def _interpreter(store: Store, name: str | None) -> str:
    """Return the interpreter that nox finds by that *name*, and remember it for nox."""
    signature = inspect.signature(VirtualEnv.__init__).parameters
    options: dict[str, Any] = {"download_python": "never"} if "download_python" in signature else {}
    if "venv_backend" in signature:
        options["venv_backend"] = "virtualenv"
    resolved = VirtualEnv(os.devnull, name, **options)._resolved_interpreter
    if name is not None:
        save_interpreter(store, name, os.environ, os.getcwd(), resolved, now=time.time())
    return absolute_path(resolved)


def _capture(store: Store, interpreter: str | None, parameters: Sequence[str]) -> None:
    """Capture the skeleton, unless it is stored."""
    path = _interpreter(store, interpreter)
    name = skeleton_name(path, parameters, creator=creator(), environ=os.environ)
    if name is not None and stored_skeleton(store, name) is None:
        capture_as(name, store, path, parameters)


def _install(work: _Work, session: _Session, over: threading.Event) -> None:
    """Install in the throwaway environment of *session* what is next, so that the store has it.

    Raises:
        _StoppedError, LinkenvError, OSError, InterpreterNotFound: it cannot be told, or it cannot be had.
    """
    environment = session.environment or _environment(work, session)
    request = _in_place(work.requests[session.done], work.prefix, environment.prefix, session.name)
    keys = RequestKeys(environment, request)
    if isinstance(keys.key, Unkeyable):
        raise _StoppedError
    if not isinstance(keys.key, Key):  # a session that runs now sees what a build does in a project
        for project in keys.key.requested.projects:
            if not writes_nothing(read_declared(project.path)):
                raise _StoppedError
    install(environment, request, _Pip(environment.prefix, request, over))
    session.done += 1


def _environment(work: _Work, session: _Session) -> Environment:
    settings = load_settings(directory=work.directory)
    environment = Environment("", settings, session=session.name)
    environment.prefix = f"{scratch_place(environment.store.layout)}/{temporary_name()}"
    session.environment = environment
    if not environment.create(_interpreter(environment.store, session.interpreter), session.parameters):
        raise _StoppedError
    return environment


def _in_place(request: Request, former: str, prefix: str, name: str) -> Request:
    """Return the *request* of the session with the environment at *former* as that of the session *name* at *prefix*."""
    environ = dict(request.environ)
    programs, others = os.path.join(former, "bin"), os.path.join(prefix, "bin")
    path = [others if entry == programs else entry for entry in environ.get("PATH", "").split(os.pathsep)]
    environ |= {"PATH": os.pathsep.join(path), "VIRTUAL_ENV": prefix}
    if "NOX_CURRENT_SESSION" in environ:
        environ["NOX_CURRENT_SESSION"] = name
    return Request(request.arguments, environ, request.directory)


def _messages() -> Iterator[Mapping[str, Any]]:
    with open(sys.stdin.fileno(), "rb", closefd=False) as stream:
        for line in stream:
            yield json.loads(line)


def _listen(messages: queue.SimpleQueue[Mapping[str, Any] | None], over: threading.Event) -> None:
    """Hand on what nox says; when it has ended, stop what has been started."""
    for message in _messages():
        messages.put(message)
    over.set()
    messages.put(None)
    while hasattr(os, "killpg"):
        os.killpg(0, signal.SIGTERM)
        time.sleep(_PAUSE)


def main() -> int:
    """Do what standard input says, until that is closed."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    signal.signal(signal.SIGTERM, lambda *_: None)  # for the processes that are started it is the usual again
    work, over = _Work(), threading.Event()
    messages: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
    (root, *lower) = next(_messages())
    store = Store.open(root, lower=lower)
    threading.Thread(target=_listen, args=(messages, over), daemon=True).start()
    environments: list[Environment] = []
    while not over.is_set():
        session = work.next_session()
        idle = session is None and not work.skeletons
        with contextlib.suppress(queue.Empty):
            message = messages.get(block=idle)
            if message is not None:
                work.take(message)
            continue
        if session is None:
            with contextlib.suppress(LinkenvError, OSError, InterpreterNotFound):
                _capture(store, *work.skeletons.pop(0))
            continue
        try:
            _install(work, session, over)
        except (_StoppedError, LinkenvError, OSError, InterpreterNotFound):
            session.over = True
        if session.environment is not None and session.environment not in environments:
            environments.append(session.environment)
    for environment in environments:
        with contextlib.suppress(OSError):
            remove_environment(environment.store, environment.prefix)
    return 0


if __name__ == "__main__":
    sys.exit(main())
