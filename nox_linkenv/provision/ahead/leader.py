"""What the sessions to come need is brought into the store by another process, while the one that asked first works.

Only where something is missing, so in the first run of a matrix, and where there is another core.  The process runs
:mod:`~.process`; it ends with the host: it reads from a pipe that the host holds.
"""

from __future__ import annotations

import atexit
import contextlib
import enum
import json
import os
import subprocess
import sys
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Protocol

from nox_linkenv.config import PERSONAL
from nox_linkenv.env.interpreter.isolated import module_command
from nox_linkenv.maintenance.background import lease

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nox_linkenv.config import Settings
    from nox_linkenv.maintenance.background import CompileTask, Tasks
    from nox_linkenv.resolve.request import Request
    from nox_linkenv.store import Store

__all__ = ["Ahead", "Coming", "Leader", "Queue", "host_command"]

#: What virtualenv imports, and what this package does.
_NEEDED: Final = (
    "virtualenv", "distlib", "filelock", "packaging", "platformdirs", "python_discovery", "tomli",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Coming:
    """A session to come, as a host says of it.

    Args:
        name: as the host has it.
        interpreter: how the host asks for it, as JSON has it; the host's own process can find it.
        parameters: of virtualenv.
        variables: those that an earlier session has with other values, and this one with these.
    """

    name: str
    interpreter: Any
    parameters: Sequence[str]
    variables: Mapping[str, str]

    @property
    def skeleton(self) -> str:
        """What tells the skeleton that it needs from others."""
        return json.dumps([self.interpreter, self.parameters], sort_keys=True)


class Queue(Protocol):
    """A session, and those of its run that come after it, as a host knows them."""

    def command(self) -> list[str]:
        """Return the command of the process that works ahead for this host."""
        ...

    def present(self) -> Coming | None:
        """Return the session itself; ``None`` where it cannot be told what it asks virtualenv for."""
        ...

    def coming(self) -> Sequence[Coming]:
        """Return those after it, in the order of the run."""
        ...

    def kind(self) -> object:
        """Return what the session has in common with those which differ from it by their Python only."""
        ...

    def alike(self) -> Sequence[Coming]:
        """Return those after it which are to be made, and differ from it by their Python only."""
        ...


class Leader:
    """A session that asks for something first.

    Args:
        ahead: what is done ahead in this run.
        prefix: absolute path of its environment.
        settings: of its environment, and taken for those of the sessions that differ from it by their Python only.
        queue: what comes after it.
        requests: what it has asked for so far.
    """

    def __init__(
        self, ahead: Ahead, prefix: str, settings: Settings, queue: Queue, requests: Sequence[Request]
    ) -> None:
        self._ahead = ahead
        self._prefix = prefix
        self._settings = settings
        self._queue = queue
        self._requests = list(requests)
        self._leads = False

    def capturing(self) -> None:
        """The skeleton is missing: have those captured that come next, each once."""
        others = {coming.skeleton: coming for coming in self._queue.coming()}
        if (present := self._queue.present()) is not None:
            others.pop(present.skeleton, None)
        if others:
            self._ahead.capture(list(others.values()))

    def installing(self, request: Request) -> None:
        """The session asks for *request*."""
        self._requests.append(request)
        if self._leads:
            self._ahead.add(request)

    def asking(self) -> None:
        """No answer holds: have the same requests, and the ones after them, answered for the sessions to come."""
        if not self._leads and (alike := self._queue.alike()):
            kind = self._queue.kind()
            self._leads = self._ahead.lead(kind, alike, self._prefix, self._settings, self._requests)

    def closed(self, tasks: Tasks) -> None:
        """The session has ended, and *tasks* are worth doing for the next one."""
        if self._leads:
            self._ahead.compile(tasks.compile)


class Ahead:
    """What one run of a host has had done ahead.

    Args:
        store: that of the session which is the first to miss something.
        process: the command of the process that does it.
    """

    def __init__(self, store: Store, process: Sequence[str]) -> None:
        self._store = store
        self._command = process
        self._process: subprocess.Popen[bytes] | None = None
        self._captures = False
        self._led: set[object] = set()

    def capture(self, coming: Sequence[Coming]) -> None:
        """Have the skeletons captured that the sessions *coming* need."""
        if not self._captures:
            self._captures = True
            self._tell({"skeletons": [[session.interpreter, session.parameters] for session in coming]})

    def lead(
        self, kind: object, coming: Sequence[Coming], prefix: str, settings: Settings, requests: Sequence[Request]
    ) -> bool:
        """Have installed for the sessions *coming* what one of the same *kind* asks for.

        Args:
            prefix, settings: absolute path and settings of the environment of that session.
            requests: its requests so far; further ones are for :meth:`add`.

        Returns:
            Whether that is done: not where an earlier one of them has led already.
        """
        if kind in self._led or sys.platform == "win32":
            return False
        self._led.add(kind)
        sessions = [[each.name, each.interpreter, each.parameters, dict(each.variables)] for each in coming]
        names = {field.name for field in fields(settings)} - PERSONAL  # these the process finds where the host does
        values = {name: getattr(settings, name) for name in sorted(names)}
        plain = {name: value.value if isinstance(value, enum.Enum) else value for name, value in values.items()}
        self._tell({"sessions": sessions, "settings": plain, "prefix": prefix})
        for request in requests:
            self.add(request)
        return True

    def add(self, request: Request) -> None:
        """Have *request* carried out for the sessions to come, too, after those before it."""
        self._tell({"request": [request.arguments, dict(request.environ), request.directory]})

    def compile(self, tasks: Iterable[CompileTask]) -> None:
        """Have the modules of *tasks* compiled for the sessions to come, which most likely import the same."""
        modules = [
            path.removeprefix(f"{site}/") for task in tasks for path in task.wanted for site in task.facts.site_packages
        ]
        self._tell({"imported": modules})

    def begun(self, name: str) -> None:
        """Have nothing more done for the session *name*: it begins."""
        if self._process is not None:
            self._tell({"begun": name})

    def _tell(self, message: dict[str, Any]) -> None:
        if _cores() < 2:
            return
        with contextlib.suppress(OSError):  # it has ended, or cannot be started: the sessions do all by themselves
            self._process = self._process or self._start()
            _write(self._process, message)

    def _start(self) -> subprocess.Popen[bytes]:
        with lease(self._store) as inherited:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=inherited,
            )
        process.returncode = 0  # nobody waits for it
        assert process.stdin is not None
        atexit.register(process.stdin.close)
        _write(process, [layout.root for layout in self._store.layers])
        return process


def host_command(module: str, needed: Sequence[str] = ()) -> list[str]:
    """Return the command that starts the process: *module*, which imports the packages *needed* besides."""
    return module_command(module, (*_NEEDED, *needed))


def _write(process: subprocess.Popen[bytes], message: object) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{json.dumps(message)}\n".encode())
    process.stdin.flush()


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
