"""The nox backend ``linked``.

nox has no plugin system: the backend is entered into its table, and ``nox.command.run``, through which every command
of a session passes, is wrapped, so that ``session.install`` in a linked environment is answered here, and so is
``session.run("pip", "install", ...)``.
"""

from __future__ import annotations

import atexit
import inspect
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import nox.command
import nox.virtualenv
from nox.logger import logger
from nox.sessions import Result, SessionRunner

from nox_linkenv.errors import LinkenvError
from nox_linkenv.plugins.nox.environment import BACKEND, LinkedEnv, queued
from nox_linkenv.plugins.nox.installing import install
from nox_linkenv.provision.policy import LeadingPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BACKEND", "LinkedEnv", "register"]

_QUIET: Final = re.compile(r"--quiet|-[a-zA-Z]*q[a-zA-Z]*")
_LOGGERS: Final = ("filelock", "virtualenv", "python_discovery", "distlib", "urllib3")
_INSTALL: Final = ("python", "-m", "pip", "install")
_ISOLATED: Final = ("python", "-I", "-m", "pip", "install")
_SCRIPT: Final = ("pip", "install")
_run: Callable[..., str | bool] = nox.command.run
_execute: Callable[[SessionRunner], Result] = SessionRunner.execute


def _command_run(args: Sequence[str], **options: Any) -> str | bool:
    """Stand in for ``nox.command.run``: answer an installation in a linked environment, pass on all else."""
    environment = LinkedEnv.at((options.get("paths") or [""])[0])
    if shutil.which("python", path=os.pathsep.join(options.get("paths") or [])) is None:
        return _run(args, **options)  # nox refuses a python from outside of the environment
    codes = options.get("success_codes")
    if codes is not None and 0 not in codes:
        return _run(args, **options)  # success is to fail: nox knows how to say that
    beginning = _beginning(args, options, environment) if environment is not None else 0
    if environment is None or not beginning:
        return _run(args, **options)
    return install(environment, [os.fspath(argument) for argument in args], beginning, options, run=_run)


def _beginning(args: Sequence[str], options: Mapping[str, Any], environment: LinkedEnv) -> int:
    """Return how many of *args* come before what is to be installed, 0 where they are to be run as they stand."""
    if tuple(args[:4]) == _INSTALL:
        if options.get("external") == "error":
            return 4  # session.install
        beginning = 4
    elif tuple(args[:5]) == _ISOLATED:
        beginning = 5
    elif tuple(args[:2]) == _SCRIPT and environment.has_own_pip():
        beginning = 2
    else:
        return 0
    # session.run: what pip says may be what is asked for, and what it is told not to say.
    asked = options.get("silent") or options.get("stdout") is not None
    asked = asked or options.get("stderr") not in (None, subprocess.STDOUT)
    return 0 if asked or any(_QUIET.fullmatch(os.fspath(argument)) for argument in args) else beginning


def _session_execute(runner: SessionRunner) -> Result:
    """Stand in for ``SessionRunner.execute``: when the session is over, and timed, look at its environment."""
    LinkedEnv.running = runner
    if LeadingPolicy.ahead is not None:
        LeadingPolicy.ahead.begun(runner.friendly_name)
    _warn_of_misspelt_backend(runner)
    result = _execute(runner)
    if isinstance(runner.venv, LinkedEnv) and runner.venv.opened:
        try:
            runner.venv.close()
            runner.venv.clean_up(success=bool(result))
        except (LinkenvError, OSError) as error:
            logger.warning(str(error))
    if len(LinkedEnv.ended) > 1 and (not queued() or (runner.global_config.stop_on_first_error and not result)):
        from nox_linkenv.provision.summary import summary

        if (line := summary(LinkedEnv.ended)) is not None:
            logger.info(f"linked: {line}")
        LinkedEnv.ended.clear()
    return result


def _warn_of_misspelt_backend(runner: SessionRunner) -> None:
    """Say which name may be meant, where nox is about to fail as it knows no backend of that name."""
    for name in str(getattr(runner.func, "venv_backend", None) or BACKEND).split("|"):
        if name not in nox.virtualenv.ALL_VENVS:
            from nox_linkenv.config import similar_to

            hint = similar_to(name, [BACKEND])
            if hint:
                logger.error(f"There is no backend {name!r}{hint}.")


def register() -> None:
    """Enter the backend into nox's tables.  Calling it again does nothing.

    Where nox has changed so that this cannot work, it is left as it was and a warning says so.
    """
    global _execute, _run
    if BACKEND in nox.virtualenv.ALL_VENVS:
        return
    problem = _self_check()
    if problem is not None:
        logger.warning(f"nox-linkenv does not know this version of nox ({problem}); its backend is not available.")
        return
    for name in _LOGGERS:  # libraries whose log would appear in nox's
        logging.getLogger(name).setLevel(logging.WARNING)
    nox.virtualenv.ALL_VENVS[BACKEND] = LinkedEnv
    _make_optional()
    _run = nox.command.run
    nox.command.run = _command_run  # type: ignore[assignment]
    _execute = SessionRunner.execute
    SessionRunner.execute = _session_execute  # type: ignore[assignment, method-assign]
    atexit.register(_end, time.time())


def _end(began: float) -> None:
    """End this process: where its sessions had processes of their own, say what was done for all of them."""
    if "nox._parallel" in sys.modules:
        from nox_linkenv.plugins.nox.parallel import tell

        tell(began)


def _self_check() -> str | None:
    """Return what of nox is not as this module needs it, or ``None``."""
    parameters = inspect.signature(nox.command.run).parameters
    missing = {"env", "silent", "paths", "success_codes", "log", "external"} - parameters.keys()
    if missing:
        return f"nox.command.run has no {', '.join(sorted(missing))}"
    if not isinstance(nox.virtualenv.ALL_VENVS, dict):
        return "its table of backends is no dictionary"
    return None


class _Optional(Mapping[str, bool]):
    """nox's table of optional backends with ours in it; nox's own is asked late, because asking runs uv."""

    def __init__(self, original: Callable[[], Mapping[str, bool]]) -> None:
        self._original = original

    def __getitem__(self, name: str) -> bool:
        return True if name == BACKEND else self._original()[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._original(), BACKEND])

    def __len__(self) -> int:
        return len(self._original()) + 1


def _make_optional() -> None:
    """Let ``"linked|virtualenv"`` pass: only optional backends may have a fallback."""
    module = sys.modules["nox.virtualenv"]
    tables = module.__dict__.get("OPTIONAL_VENVS")
    if isinstance(tables, dict):
        tables[BACKEND] = True
        return
    original = getattr(module, "_optional_venvs", None)
    if original is not None:
        module._optional_venvs = lambda: _Optional(original)  # type: ignore[attr-defined]
