"""The sessions of a noxfile, each run by nox of its own up to where it has installed everything."""

from __future__ import annotations

import contextlib
import enum
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.errors import EnvError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Session", "State", "Warmed", "list_sessions", "warm"]

_NOX: Final = (sys.executable, "-m", "nox")
#: The line on an install that has been answered.
_ANSWERED: Final = re.compile(r"linked: (.+ \((?:\d+ distributions?, )?\d+\.\d+ s\))$", re.MULTILINE)
_COLORS: Final = re.compile(r"\x1b\[[0-9;]*m")
#: Seconds that nox has for its end when it was interrupted: it gives its children some itself.
_GRACE: Final = 10.0


class State(enum.Enum):
    """What became of a session."""

    WARM = "warm"
    NOTHING = "nothing linked"
    FAILED = "failed"


class Session(NamedTuple):
    """A session as nox names it, such as ``tests-3.12(django='4.2')``."""

    name: str


class Warmed(NamedTuple):
    """What became of one.

    Attributes:
        session: the session.
        state: whether its installs have been answered.
        messages: what was said of each of them.
        output: all that nox said.
        seconds: that it took.
    """

    session: Session
    state: State
    messages: tuple[str, ...]
    output: str
    seconds: float


def list_sessions(noxfile: str, names: Sequence[str]) -> list[Session]:
    """Return the sessions of the *noxfile* (absolute path) that nox would run.

    Args:
        names: which of them; those that the noxfile itself chooses where there are none.

    Raises:
        EnvError: nox cannot list them.
    """
    command = [*_NOX, "--noxfile", noxfile, "--list", "--json", *(["--session", *names] if names else [])]
    with tempfile.TemporaryDirectory() as directory:  # python takes modules from where it is started
        done = subprocess.run(
            command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    if done.returncode != 0 or not lines:
        said = _COLORS.sub("", done.stderr or done.stdout).strip()
        raise EnvError(
            f"nox cannot list the sessions ({said})",
            path=noxfile,
            remedy="Name the noxfile with -f, and sessions that nox --list shows with -s.",
        )
    return [Session(entry["session"]) for entry in json.loads(lines[-1])]


def warm(
    sessions: Sequence[Session], noxfile: str, directory: str, environ: Mapping[str, str], *, jobs: int
) -> Iterator[Warmed]:
    """Have nox make the environments of *sessions* in *directory*; yield what became of each when it is finished.

    A run that is interrupted interrupts every nox, and waits for their ends.

    Args:
        noxfile: its absolute path.
        directory: absolute path of an empty directory of ours.
        environ: the variables of nox.
        jobs: how many sessions at a time.
    """
    runs = _Runs(noxfile, directory, environ)
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(runs.run, session, str(at)) for at, session in enumerate(sessions)]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            runs.interrupt()
            raise


@dataclass(slots=True, eq=False)
class _Runs:
    """What runs at the moment."""

    noxfile: str
    directory: str
    environ: Mapping[str, str]
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _running: set[subprocess.Popen[str]] = field(default_factory=set)
    _over: bool = False

    def run(self, session: Session, place: str) -> Warmed:
        """Run *session*; its environment, and those of sessions that it calls for, lie in a directory *place*."""
        began = time.perf_counter()
        where = os.path.join(self.directory, place)
        os.mkdir(where)
        command = [
            *(*_NOX, "--noxfile", self.noxfile, "--envdir", where, "--default-venv-backend", "linked"),
            *("--install-only", "--session", session.name),
        ]
        process = self._start(command, where)
        if process is None:
            return Warmed(session, State.FAILED, (), "", 0.0)
        output = _COLORS.sub("", process.communicate()[0])
        with self._guard:
            self._running.discard(process)
        messages = tuple(_ANSWERED.findall(output))
        state = State.WARM if messages else State.NOTHING
        state = State.FAILED if process.returncode != 0 else state
        return Warmed(session, state, messages, output, time.perf_counter() - began)

    def _start(self, command: Sequence[str], where: str) -> subprocess.Popen[str] | None:
        with self._guard:  # so that none is started after all have been interrupted
            if self._over:
                return None
            process = subprocess.Popen(
                command,
                cwd=where,
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # a terminal interrupts only us, and each of them hears of it once
            )
            self._running.add(process)
            return process

    def interrupt(self) -> None:
        """Interrupt all that runs, as a terminal would, and wait for it; what does not end is killed."""
        with self._guard:
            self._over = True
            running = list(self._running)
        for process in running:
            _end(process, gently=True)
        deadline = time.monotonic() + _GRACE
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _end(process, gently=False)


def _end(process: subprocess.Popen[str], *, gently: bool) -> None:
    """Interrupt, or kill, *process* and its children, which are a process group; on Windows it is killed alone."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGINT if gently else signal.SIGKILL)
