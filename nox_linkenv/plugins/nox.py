"""The nox backend ``linked``.

nox has no plugin system: the backend is entered into its table, and ``nox.command.run``, through which every command
of a session passes, is wrapped, so that ``session.install`` in a linked environment is answered here.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import shutil
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import nox.command
import nox.virtualenv
from nox.logger import logger
from nox.popen import popen
from nox.sessions import Result, SessionRunner
from nox.virtualenv import VirtualEnv

from nox_linkenv.config import load_settings
from nox_linkenv.env.interpreters import recall_interpreter, remember_interpreter
from nox_linkenv.errors import CaptureError, EnvError, LinkenvError, StoreUnwritableError
from nox_linkenv.provision import Provision
from nox_linkenv.request import Outcome, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BACKEND", "LinkedEnv", "register"]

BACKEND = "linked"
_LOGGERS = ("filelock", "virtualenv", "python_discovery", "distlib")
_INSTALL = ("python", "-m", "pip", "install")
_environments: weakref.WeakValueDictionary[str, LinkedEnv] = weakref.WeakValueDictionary()
_run: Callable[..., str | bool] = nox.command.run
_execute: Callable[[SessionRunner], Result] = SessionRunner.execute


class LinkedEnv(VirtualEnv):
    """A virtual environment whose packages are linked from the store."""

    def __init__(self, location: str, interpreter: str | None = None, **options: Any) -> None:
        options.pop("venv_backend", None)
        self._options = dict(options)
        super().__init__(location, interpreter, **options)
        self._asked = interpreter
        self._provision: Provision | None = None
        _environments[self.bin] = self

    @property
    def venv_backend(self) -> str:
        """The name by which the backend is chosen."""
        return BACKEND

    @venv_backend.setter
    def venv_backend(self, value: str) -> None:
        """Accept what older versions of nox assign."""

    @property
    def allowed_globals(self) -> Any:
        """The programs from outside that a session may run: nox's own answer, asked late, because asking runs uv."""
        return _UvNames(lambda: super(LinkedEnv, self).allowed_globals)

    @property
    def opened(self) -> bool:
        """Whether the store has been opened for it."""
        return self._provision is not None

    @property
    def provision(self) -> Provision:
        """What provisions this environment; the store is opened when it is first asked for."""
        if self._provision is None:
            settings = load_settings(directory=os.getcwd())
            name = os.path.basename(self.location)
            self._provision = Provision(self.location.replace(os.sep, "/"), settings, session=name)
        return self._provision

    @property
    def _resolved_interpreter(self) -> str:
        """Return nox's own answer, remembered for as long as a resolution is."""
        known = self._resolved is not None or not isinstance(self.interpreter, str)
        if known or getattr(self, "download_python", "auto") == "always":
            return super()._resolved_interpreter
        assert isinstance(self.interpreter, str)
        store, settings = self.provision.store, self.provision.settings
        search = (store, self.interpreter, os.environ, os.getcwd())
        path = recall_interpreter(*search, now=time.time(), age=settings.resolution_age)
        if path is None:
            path = super()._resolved_interpreter
            remember_interpreter(*search, path, now=time.time())
        self._resolved = path
        return path

    def create(self) -> bool:
        """Create the environment, or reuse the one that stands there if nox was told to."""
        parent = os.path.dirname(self.location)
        for name in ("_ensure_gitignore", "_ensure_cachedir_tag"):  # nox 2026.4.10 and later
            ensure = getattr(nox.virtualenv, name, None)
            if ensure is not None:
                from pathlib import Path

                ensure(Path(parent))
        if self.reuse_existing and os.path.exists(self.location) and self._reusable():
            self._plain().create()  # which finds the same, and says so in nox's own words
            self._reused = True
            return False
        resolved = self._resolved_interpreter
        logger.info(
            f"Creating virtual environment ({BACKEND}) using {os.path.basename(resolved)} in {self.location_name}"
        )
        interpreter = self._absolute(resolved)
        with _reported():
            try:
                made = self.provision.create(interpreter, self.venv_params or ())
            except (CaptureError, StoreUnwritableError):
                made = False  # virtualenv's own message and exit code are the ones to show
            if not made:
                self._by_virtualenv()
                self._adopt(interpreter)
        return True

    def _reusable(self) -> bool:
        """Ask nox's own checks; an environment of ours counts as the virtualenv it is."""
        with _reported():
            self.provision.check()
        checks = ("_check_reused_environment_links", "_check_reused_environment_interpreter")
        return self._check_reused_environment_type() and all(
            getattr(self, name)() for name in checks if hasattr(self, name)
        )

    def _check_reused_environment_type(self) -> bool:
        """Any environment with pip will do, but not conda's, uv's, or an unfinished one of ours."""
        unfinished = self.provision.receipt is None and os.path.isdir(os.path.join(self.location, ".linkenv"))
        return not unfinished and self._plain()._check_reused_environment_type()

    def _plain(self) -> VirtualEnv:
        return VirtualEnv(self.location_name, self._asked, venv_backend="virtualenv", **self._options)

    def _by_virtualenv(self) -> None:
        plain = self._plain()
        plain.reuse_existing = False
        logger.addFilter(_is_news)
        try:
            plain.create()
        finally:
            logger.removeFilter(_is_news)

    def _adopt(self, interpreter: str) -> None:
        with contextlib.suppress(EnvError):  # no pip in it: whatever is asked of it, the user gets python's own answer
            self.provision.adopt(interpreter)

    def _absolute(self, resolved: str) -> str:
        return resolved if os.path.isabs(resolved) else os.path.abspath(shutil.which(resolved) or resolved)

    def close(self) -> None:
        """Look at the environment after its session: say what was changed, note what is worth preparing."""
        environ = {**os.environ, **{name: value or "" for name, value in self.env.items()}}
        for message in self.provision.close(environ):
            logger.warning(message)

    def clean_up(self, *, success: bool) -> None:
        """Remove the environment if the settings say so; one that nox was told to reuse stays."""
        from nox_linkenv.cleanup import remove_environment, wants_removal

        if not self.reuse_existing and wants_removal(self.provision.settings.cleanup, success=success):
            remove_environment(self.provision.store, self.provision.prefix)


def _is_news(record: logging.LogRecord) -> bool:
    """Hold back what has been said already."""
    return not record.getMessage().startswith("Creating virtual environment")


class _SessionPip:
    """Runs pip as nox would run it for ``session.install``."""

    def __init__(self, command: Sequence[str], options: Mapping[str, Any], log: Callable[..., None]) -> None:
        self.command = command
        self.options = options
        self.log = log

    def ask(self, arguments: Sequence[str]) -> bool:
        """Run the user's own command through nox, whose messages it makes, with *arguments* added behind its back."""
        codes = []

        def asking(command: Sequence[str], **options: Any) -> tuple[int, str]:
            code, output = popen([*command, *arguments], **options)
            codes.append(code)
            return code, output if code else ""

        nox.command.popen = asking  # type: ignore[assignment, attr-defined]
        try:
            _run(self.command, **{**self.options, "log": False})
        finally:
            nox.command.popen = popen  # type: ignore[attr-defined]
        return codes[-1] == 0

    def fetch(self, arguments: Sequence[str]) -> bool:
        quiet = {**self.options, "silent": True, "stdout": None, "stderr": subprocess.STDOUT}
        code, _ = self._popen([*_INSTALL[:3], *arguments], quiet)
        return code == 0

    def install(self, arguments: Sequence[str]) -> bool:
        options = {**self.options, "log": False}
        return bool(_run((*_INSTALL, *arguments), **options))

    def _popen(self, command: Sequence[str], options: Mapping[str, Any]) -> tuple[int, str]:
        known = inspect.signature(popen).parameters
        env = options.get("env")
        return popen(
            [nox.command.which(command[0], options["paths"]), *command[1:]],
            env=None if env is None else {name: value for name, value in env.items() if value is not None},
            **{name: options[name] for name in options if name in known and name != "env"},
        )


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """Turn our errors into a failed session with one clear message."""
    try:
        yield
    except LinkenvError as error:
        logger.error(str(error))
        raise nox.command.CommandFailed(str(error)) from error


def _command_run(args: Sequence[str], **options: Any) -> str | bool:
    """Stand in for ``nox.command.run``: answer ``session.install`` in a linked environment, pass on all else."""
    environment = _environments.get((options.get("paths") or [""])[0])
    if shutil.which("python", path=os.pathsep.join(options.get("paths") or [])) is None:
        return _run(args, **options)  # nox refuses a python from outside of the environment
    codes = options.get("success_codes")
    if codes is not None and 0 not in codes:
        return _run(args, **options)  # success is to fail: nox knows how to say that
    if environment is None or tuple(args[:4]) != _INSTALL or options.get("external") != "error":
        return _run(args, **options)
    return _install(environment, [os.fspath(argument) for argument in args], options)


def _install(environment: LinkedEnv, command: Sequence[str], options: Mapping[str, Any]) -> str | bool:
    import shlex

    if options.get("log", True):
        logger.info(" ".join([command[0], shlex.join(command[1:])]))
    env: Mapping[str, str | None] = options.get("env") or os.environ
    request = Request(
        tuple(command[4:]), {name: value for name, value in env.items() if value is not None}, os.getcwd()
    )
    with _reported():
        outcome = environment.provision.install(request, _SessionPip(command, options, logger.debug))
    _tell(outcome)
    if outcome.installed:
        line = " ".join(["Successfully installed", *sorted(f"{name}-{version}" for name, version in outcome.installed)])
        stream = options.get("stdout")
        if options.get("silent"):
            logger.output(line)
        else:
            print(line, file=stream if hasattr(stream, "write") else sys.stdout, flush=True)
    return "" if options.get("silent") else True


def _tell(outcome: Outcome) -> None:
    logger.info(f"linked: {outcome.message}")
    for warning in outcome.warnings:
        logger.warning(warning)


def _session_execute(runner: SessionRunner) -> Result:
    """Stand in for ``SessionRunner.execute``: when the session is over, and timed, look at its environment."""
    result = _execute(runner)
    if isinstance(runner.venv, LinkedEnv) and runner.venv.opened:
        try:
            runner.venv.close()
            runner.venv.clean_up(success=bool(result))
        except (LinkenvError, OSError) as error:
            logger.warning(str(error))
    return result


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


def _self_check() -> str | None:
    """Return what of nox is not as this module needs it, or ``None``."""
    parameters = inspect.signature(nox.command.run).parameters
    missing = {"env", "silent", "paths", "success_codes", "log", "external"} - parameters.keys()
    if missing:
        return f"nox.command.run has no {', '.join(sorted(missing))}"
    if not isinstance(nox.virtualenv.ALL_VENVS, dict):
        return "its table of backends is no dictionary"
    return None


class _UvNames(Sequence[object]):
    """nox's names of uv; whether another name is among them can be said without running it."""

    def __init__(self, original: Callable[[], Sequence[object]]) -> None:
        self._original = original

    def __contains__(self, name: object) -> bool:
        return ("uv" in str(name) or "UV" in os.environ) and name in self._original()

    def __getitem__(self, index: Any) -> Any:
        return self._original()[index]

    def __len__(self) -> int:
        return len(self._original())


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
