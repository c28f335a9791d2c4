"""Skeletons of the sessions to come, captured by another process while the session that needs the first one works.

Only where skeletons are missing, so in the first run of a matrix, and where there is another core.  The process ends
with nox: it reads from a pipe that nox holds, and begins nothing more once that is closed.
"""

from __future__ import annotations

import atexit
import contextlib
import inspect
import json
import os
import select
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING, Any, Final

from nox.virtualenv import InterpreterNotFound, VirtualEnv

from nox_linkenv.env.capture import capture_as
from nox_linkenv.env.interpreter.isolated import module_command
from nox_linkenv.env.interpreter.search_cache import absolute_path, save_interpreter
from nox_linkenv.env.skeleton import creator, skeleton_name, stored_skeleton
from nox_linkenv.errors import LinkenvError
from nox_linkenv.maintenance.background import lease
from nox_linkenv.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox.sessions import SessionRunner

__all__ = ["start"]

#: What nox and virtualenv import.
_NEEDED: Final = (
    "nox", "virtualenv", "argcomplete", "attr", "attrs", "colorlog", "dependency_groups", "distlib", "filelock",
    "humanize", "packaging", "platformdirs", "python_discovery", "tomli",
)  # fmt: skip
_NICENESS: Final = 5
#: The processes that have been started: to forget one would close its pipe.
_started: list[subprocess.Popen[bytes]] = []


def start(store: Store, runner: SessionRunner, queued: Sequence[SessionRunner]) -> None:
    """Have the skeletons captured that the sessions *queued* after *runner* need, once in a run of nox."""
    wanted = _wanted(runner, queued)
    if not wanted or _started or _cores() < 2:
        return
    roots = [layout.root for layout in store.layers]
    with contextlib.suppress(OSError), lease(store) as inherited:
        process = subprocess.Popen(
            module_command(__name__, _NEEDED),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=inherited,
        )
        _started.append(process)
        assert process.stdin is not None
        process.stdin.write(f"{json.dumps([roots, wanted])}\n".encode())
        process.stdin.flush()
        process.returncode = 0  # nobody waits for it
        atexit.register(process.stdin.close)


def _wanted(runner: SessionRunner, queued: Sequence[SessionRunner]) -> list[tuple[str | None, list[str]]]:
    """Return interpreter and parameters of the *queued* sessions, each once, without those of *runner*."""
    config = runner.global_config
    found: dict[str, tuple[str | None, list[str]]] = {}
    for coming in queued:
        func = coming.func
        backend = config.force_venv_backend or func.venv_backend or config.default_venv_backend or ""
        python = func.python
        if backend.partition("|")[0] == "linked" and (python is None or isinstance(python, str)):
            key = (python, list(func.venv_params or ()))
            found[json.dumps(key)] = key
    own = (runner.func.python, list(runner.func.venv_params or ()))
    return [key for key in found.values() if key != own]


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _capture(store: Store, interpreter: str | None, parameters: Sequence[str]) -> None:
    """Capture the skeleton, unless it is stored; and remember what interpreter nox finds by that name."""
    signature = inspect.signature(VirtualEnv.__init__).parameters
    options: dict[str, Any] = {"download_python": "never"} if "download_python" in signature else {}
    if "venv_backend" in signature:
        options["venv_backend"] = "virtualenv"
    resolved = VirtualEnv(os.devnull, interpreter, **options)._resolved_interpreter
    if interpreter is not None:
        save_interpreter(store, interpreter, os.environ, os.getcwd(), resolved, now=time.time())
    path = absolute_path(resolved)
    name = skeleton_name(path, parameters, creator=creator(), environ=os.environ)
    if name is not None and stored_skeleton(store, name) is None:
        capture_as(name, store, path, parameters)


def _is_over(stream: IO[bytes]) -> bool:
    """Return whether the other end of *stream*, an unbuffered pipe, has been closed."""
    if sys.platform == "win32":  # it cannot wait for pipes
        return False
    return bool(select.select([stream], [], [], 0)[0])


def main() -> int:
    """Capture what standard input names, until that is closed."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    stream = open(sys.stdin.fileno(), "rb", buffering=0)  # noqa: SIM115 - for as long as the process lives
    (root, *lower), wanted = json.loads(stream.readline())
    store = Store.open(root, lower=lower)
    for interpreter, parameters in wanted:
        if _is_over(stream):
            break
        with contextlib.suppress(LinkenvError, OSError, InterpreterNotFound):
            _capture(store, interpreter, parameters)
    return 0


if __name__ == "__main__":
    sys.exit(main())
