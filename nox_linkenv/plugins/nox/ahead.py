"""What the sessions to come need is brought into the store by another process, while the one that asked first works.

Only where something is missing, so in the first run of a matrix, and where there is another core.  The process is in
:mod:`~.ahead_process`; it ends with nox: it reads from a pipe that nox holds.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.env.interpreter.isolated import module_command
from nox_linkenv.maintenance.background import lease

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nox.sessions import SessionRunner

    from nox_linkenv.maintenance.background import CompileTask
    from nox_linkenv.resolve.request import Request
    from nox_linkenv.store import Store

__all__ = ["Ahead", "command"]

#: What nox and virtualenv import.
_NEEDED: Final = (
    "nox", "virtualenv", "argcomplete", "attr", "attrs", "colorlog", "dependency_groups", "distlib", "filelock",
    "humanize", "packaging", "platformdirs", "python_discovery", "tomli",
)  # fmt: skip
_PROCESS: Final = "nox_linkenv.plugins.nox.ahead_process"


class Ahead:
    """What one run of nox has had done ahead.

    Args:
        store: that of the session which is the first to miss something.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._process: subprocess.Popen[bytes] | None = None
        self._captures = False
        self._led: set[tuple[str, str]] = set()

    def capture(self, runner: SessionRunner, queued: Sequence[SessionRunner]) -> None:
        """Have the skeletons captured that the sessions *queued* after that of *runner* need."""
        wanted = {json.dumps(_interpreter(coming)): _interpreter(coming) for coming in queued if _is_linked(coming)}
        wanted.pop(json.dumps(_interpreter(runner)), None)
        if wanted and not self._captures:
            self._captures = True
            self._tell({"skeletons": list(wanted.values())})

    def lead(
        self, runner: SessionRunner, queued: Sequence[SessionRunner], prefix: str, requests: Sequence[Request]
    ) -> bool:
        """Have installed for the sessions *queued* what that of *runner* asks for, where they differ by Python only.

        Args:
            prefix: absolute path of the environment of that session.
            requests: its requests so far; further ones are for :meth:`add`.

        Returns:
            Whether that is done: not where there is no such session, or an earlier one of them has led already.
        """
        name, variant = runner.name, _variant(runner)
        alike = [coming for coming in queued if (coming.name, _variant(coming)) == (name, variant)]
        sessions = [[coming.friendly_name, *_interpreter(coming)] for coming in alike if _is_made(coming)]
        if not sessions or (name, variant) in self._led or sys.platform == "win32":
            return False
        self._led.add((name, variant))
        self._tell({"sessions": sessions, "directory": os.getcwd(), "prefix": prefix})
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

    def begun(self, runner: SessionRunner) -> None:
        """Have nothing more done for the session of *runner*: it begins."""
        if self._process is not None:
            self._tell({"begun": runner.friendly_name})

    def _tell(self, message: dict[str, Any]) -> None:
        if _cores() < 2:
            return
        with contextlib.suppress(OSError):  # it has ended, or cannot be started: the sessions do all by themselves
            self._process = self._process or self._start()
            _write(self._process, message)

    def _start(self) -> subprocess.Popen[bytes]:
        with lease(self._store) as inherited:
            process = subprocess.Popen(
                command(),
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


def command() -> list[str]:
    """Return the command that starts the process."""
    return module_command(_PROCESS, _NEEDED)


def _write(process: subprocess.Popen[bytes], message: object) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{json.dumps(message)}\n".encode())
    process.stdin.flush()


def _interpreter(runner: SessionRunner) -> tuple[str | None, list[str]]:
    """Return interpreter and parameters of virtualenv of a session."""
    python = runner.func.python
    return (python if isinstance(python, str) else None), list(runner.func.venv_params or ())


def _variant(runner: SessionRunner) -> str:
    """Return what tells the session from others of its function, its Python aside: the parameters, as nox has them."""
    return runner.friendly_name.removeprefix(runner.name).removeprefix(f"-{runner.func.python}")


def _is_linked(runner: SessionRunner) -> bool:
    """Return whether the environment of the session is to be a linked one."""
    config, func = runner.global_config, runner.func
    backend = config.force_venv_backend or func.venv_backend or config.default_venv_backend or ""
    return backend.partition("|")[0] == "linked" and (func.python is None or isinstance(func.python, str))


def _is_made(runner: SessionRunner) -> bool:
    """Return whether a linked environment is to be made for the session: nox reuses none that stands there."""
    reuses = getattr(runner, "reuse_existing_venv", None)  # nox 2024.4.15 and later
    reused = runner.func.reuse_venv if reuses is None else reuses()
    return _is_linked(runner) and not (reused and os.path.exists(runner.envdir))


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
