"""The process that works for the sessions to come while another session goes on; see :mod:`~.leader`, which starts it.

It ends with the host: it reads from a pipe that the host holds, and once that is closed, stops what it does and begins
nothing more.  What it is told are lines of JSON; it says nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from nox_linkenv.config import load_settings
from nox_linkenv.env.assembly.link_source import open_store
from nox_linkenv.env.bytecode import sources
from nox_linkenv.env.capture import capture_as
from nox_linkenv.env.contents import contents
from nox_linkenv.env.skeleton import creator, skeleton_name, stored_skeleton
from nox_linkenv.env.temporary import scratch_place
from nox_linkenv.errors import LinkenvError
from nox_linkenv.maintenance.background import CompileTask, Tasks, perform
from nox_linkenv.projects.backend import BackendError
from nox_linkenv.projects.build_config import read_declared
from nox_linkenv.projects.declarative import writes_nothing
from nox_linkenv.provision.ahead.work import Session, Work
from nox_linkenv.provision.cleanup import remove_environment
from nox_linkenv.provision.environment import Environment
from nox_linkenv.provision.installer import install
from nox_linkenv.provision.keys import RequestKeys
from nox_linkenv.provision.quiet_pip import run_quietly
from nox_linkenv.resolve.key import Key, Unkeyable
from nox_linkenv.resolve.request import Request
from nox_linkenv.store import Store
from nox_linkenv.store.temporary import temporary_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    #: Finds, for a store, the interpreter that the host asks for in this way; raises NotFoundError.
    Finder: TypeAlias = "Callable[[Store, Any], str]"
    _Messages: TypeAlias = "queue.SimpleQueue[Mapping[str, Any] | None]"

__all__ = ["NotFoundError", "serve"]

_NICENESS: Final = 5
#: Seconds between two attempts to stop what has been started.
_PAUSE: Final = 0.2


class NotFoundError(Exception):
    """An interpreter cannot be found."""


#: What may go wrong: the session says that itself, when it comes to it.
_FAILURES: Final = (LinkenvError, BackendError, OSError, NotFoundError)


class _StoppedError(Exception):
    """Nothing more is to be done for a session: its requests are not known, or only pip itself can carry them out."""


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
        return run_quietly(self._prefix, self._request, arguments, record)

    def install(self, arguments: Sequence[str]) -> bool:
        raise _StoppedError


def _capture(store: Store, path: str, parameters: Sequence[str]) -> None:
    """Capture the skeleton of the interpreter at *path*, unless it is stored."""
    name = skeleton_name(path, parameters, creator=creator(), environ=os.environ)
    if name is not None and stored_skeleton(store, name) is None:
        capture_as(name, store, path, parameters)


def _install(work: Work, session: Session, find: Finder, over: threading.Event) -> None:
    """Install in the throwaway environment of *session* what is next, so that the store has it.

    Raises:
        _StoppedError, LinkenvError, OSError, NotFoundError: it cannot be told, or it cannot be had.
    """
    environment, coming = session.environment, session.coming
    if environment is None:
        settings = load_settings(explicit=work.settings)
        prefix = f"{scratch_place(open_store(settings).layout)}/{temporary_name()}"
        environment = session.environment = Environment(prefix, settings, session=coming.name)
        if not environment.create(find(environment.store, coming.interpreter), coming.parameters):
            raise _StoppedError
    request = _in_place(work.requests[session.done], work.prefix, environment.prefix, coming.variables)
    key = RequestKeys(environment, request).key
    if isinstance(key, Unkeyable):
        raise _StoppedError
    if not isinstance(key, Key):  # a session that runs now sees what a build does in a project
        for project in key.requested.projects:
            if not writes_nothing(read_declared(project.path)):
                raise _StoppedError
    install(environment, request, _Pip(environment.prefix, request, over))
    session.done += 1


def _compile(work: Work, session: Session) -> None:
    """Compile in advance what *session* is expected to import.

    Raises:
        LinkenvError, OSError: it cannot be done.
    """
    session.compiled = True
    environment, tasks = session.environment, Tasks()
    receipt = None if environment is None else environment.receipt
    if environment is None or receipt is None:
        return
    facts = receipt.facts
    for content in contents(environment.store, environment.prefix, receipt):
        modules = sources(content.links, content.empty, facts)
        inside = {path.removeprefix(f"{site}/"): path for path in modules for site in facts.site_packages}
        if wanted := [inside[path] for path in work.imported & inside.keys()]:
            tasks.compile.append(CompileTask(content.name, receipt.interpreter, facts, wanted, modules))
    perform(environment.store, tasks, jobs=1)


def _in_place(request: Request, former: str, prefix: str, variables: Mapping[str, str]) -> Request:
    """Return *request*, made for the environment at *former*, as it is made for that at *prefix*, with its *variables*.

    Paths in arguments stay: where they matter, a request is known by what is in their files.
    """
    environ = dict(request.environ)
    programs, others = os.path.join(former, "bin"), os.path.join(prefix, "bin")
    path = [others if entry == programs else entry for entry in environ.get("PATH", "").split(os.pathsep)]
    environ |= {"PATH": os.pathsep.join(path), "VIRTUAL_ENV": prefix}
    environ |= {name: value for name, value in variables.items() if name in environ}
    return Request(request.arguments, environ, request.directory)


def _messages() -> Iterator[Any]:
    with open(sys.stdin.fileno(), "rb", closefd=False) as stream:
        for line in stream:
            yield json.loads(line)


def _listen(told: Iterator[Any], messages: _Messages, over: threading.Event) -> None:
    """Hand on what the host says; when it has ended, stop what has been started."""
    for message in told:
        messages.put(message)
    over.set()
    messages.put(None)
    if sys.platform != "win32":
        while os.getpgrp() == os.getpid():  # the group is its own: nobody else is met
            os.killpg(0, signal.SIGTERM)
            time.sleep(_PAUSE)


def serve(find: Finder) -> int:
    """Do what standard input says, until that is closed; return the exit code."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    signal.signal(signal.SIGTERM, lambda *_: None)  # for the processes that are started it is the usual again
    messages: _Messages = queue.SimpleQueue()
    work, over, told = Work(), threading.Event(), _messages()
    (root, *lower) = next(told)
    store = Store.open(root, lower=lower)
    threading.Thread(target=_listen, args=(told, messages, over), daemon=True).start()
    try:
        _do(store, work, find, messages, over)
    finally:
        for session in work.begun:
            if session.environment is not None:
                with contextlib.suppress(OSError):
                    remove_environment(session.environment.store, session.environment.prefix)
    return 0


def _do(store: Store, work: Work, find: Finder, messages: _Messages, over: threading.Event) -> None:
    """Take in *messages* and do what they ask for, the installations first, until it is *over*."""
    while not over.is_set():
        session = work.next_session()
        try:
            message = messages.get(block=session is None and not work.skeletons)
        except queue.Empty:
            pass
        else:
            work.take(message or {})
            continue
        if session is None:
            with contextlib.suppress(*_FAILURES):
                interpreter, parameters = work.skeletons.pop(0)
                _capture(store, find(store, interpreter), parameters)
            continue
        step = partial(_install, find=find, over=over) if session.done < len(work.requests) else _compile
        try:
            step(work, session)
        except (_StoppedError, *_FAILURES):
            session.over = True
