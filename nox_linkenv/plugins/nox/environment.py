"""The linked environment, as nox knows its environments."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

import nox.command
import nox.virtualenv
from nox.logger import logger
from nox.virtualenv import VirtualEnv

from nox_linkenv.config import load_settings, misspelt_variables, on_ci
from nox_linkenv.env.interpreter.search_cache import absolute_path, load_interpreter, save_interpreter
from nox_linkenv.errors import LinkenvError, explained
from nox_linkenv.provision.environment import Environment
from nox_linkenv.provision.policy import LeadingPolicy

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

    from nox.sessions import SessionRunner

    from nox_linkenv.progress import Display
    from nox_linkenv.provision.ahead.leader import Queue
    from nox_linkenv.store.journal import Session

__all__ = ["BACKEND", "LinkedEnv", "queued", "reported"]

BACKEND: Final = "linked"
_environments: weakref.WeakValueDictionary[str, LinkedEnv] = weakref.WeakValueDictionary()


class LinkedEnv(VirtualEnv):
    """A virtual environment whose packages are linked from the store.

    Attributes:
        running: what runs the session that runs now.
        ended: what was done for the sessions which are over, unless that is not to be told.
    """

    running: ClassVar[SessionRunner | None] = None
    ended: ClassVar[list[Session]] = []

    def __init__(self, location: str, interpreter: str | None = None, **options: Any) -> None:
        options.pop("venv_backend", None)
        self._options = dict(options)
        super().__init__(location, interpreter, **options)
        self._asked = interpreter
        self._linked: Environment | None = None
        _environments[self.bin] = self

    @classmethod
    def at(cls, directory: str) -> LinkedEnv | None:
        """Return the linked environment whose programs are in *directory*."""
        return _environments.get(directory)

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
        return self._linked is not None

    @property
    def linked(self) -> Environment:
        """This environment, as it is linked from the store, which is opened when it is first asked for."""
        if self._linked is None:
            with reported():
                settings = load_settings(directory=os.getcwd())
                _warn_of_misspelt_variables()
                name = os.path.basename(self.location)
                prefix = self.location.replace(os.sep, "/")
                self._linked = Environment(prefix, settings, session=name, policy=_NoxPolicy(prefix, settings))
        return self._linked

    @property
    def _resolved_interpreter(self) -> str:
        """Return nox's own answer, remembered for as long as a resolution is."""
        known = self._resolved is not None or not isinstance(self.interpreter, str)
        if known or getattr(self, "download_python", "auto") == "always":
            return super()._resolved_interpreter
        assert isinstance(self.interpreter, str)
        store, settings = self.linked.store, self.linked.settings
        search = (store, self.interpreter, os.environ, os.getcwd())
        path = load_interpreter(*search, now=time.time(), age=settings.resolution_age)
        if path is None:
            path = super()._resolved_interpreter
            save_interpreter(*search, path, now=time.time())
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
        interpreter = absolute_path(resolved)
        with reported():
            self.linked.ensure(interpreter, self.venv_params or (), self._by_virtualenv)
        if self.linked.not_linked is not None:
            logger.warning(f"linked: {self.linked.not_linked}")
        return True

    def _reusable(self) -> bool:
        """Ask nox's own checks; an environment of ours counts as the virtualenv it is."""
        with reported():
            self.linked.check()
            spread = self.linked.spread_edits()
        if spread:
            logger.warning(
                f"{self.location_name} is made anew: {spread[0]} was edited through a link, maybe elsewhere."
            )
            return False
        checks = ("_check_reused_environment_links", "_check_reused_environment_interpreter")
        return self._check_reused_environment_type() and all(
            getattr(self, name)() for name in checks if hasattr(self, name)
        )

    def _check_reused_environment_type(self) -> bool:
        """Any environment with pip will do, but not conda's, uv's, or an unfinished one of ours."""
        unfinished = self.linked.receipt is None and os.path.isdir(os.path.join(self.location, ".linkenv"))
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

    def has_own_pip(self) -> bool:
        """Return whether the script ``pip`` in it is the one that pip makes for itself, run by its interpreter."""
        try:
            with open(os.path.join(self.bin, "pip"), "rb") as stream:
                text = stream.read(4096)
        except OSError:
            return False
        own = os.fsencode(os.path.join(self.bin, "python"))
        return text.startswith(b"#!") and own in text and b"from pip._internal.cli.main import " in text

    def close(self) -> None:
        """Look at the environment after its session: say what was changed, note what is worth preparing."""
        environ = {**os.environ, **{name: value or "" for name, value in self.env.items()}}
        for message in self.linked.close(environ):
            logger.warning(message)

    def clean_up(self, *, success: bool) -> None:
        """Remove the environment if the settings say so; one that nox was told to reuse stays."""
        from nox_linkenv.provision.cleanup import remove_environment, wants_removal

        if not self.reuse_existing and wants_removal(self.linked.settings.cleanup, success=success):
            remove_environment(self.linked.store, self.linked.prefix)


class _NoxPolicy(LeadingPolicy):
    """What is being done is shown where nox writes its own lines; nox knows which sessions come next."""

    host = "nox"

    def run(self) -> str:
        if LinkedEnv.running is not None and getattr(LinkedEnv.running.global_config, "parallel_worker", False):
            from nox_linkenv.plugins.nox.parallel import run_of

            return run_of(os.getppid())
        return super().run()

    def upcoming(self) -> Sequence[str]:
        if on_ci():
            return ()
        return [str(runner.envdir).replace(os.sep, "/") for runner in queued()]

    def display(self) -> Display | None:
        from nox_linkenv.progress import display_on

        return display_on(sys.stderr, logger.info)

    def ended(self, session: Session) -> None:
        if not self._settings.quiet:
            LinkedEnv.ended.append(session)

    def queue(self) -> Queue | None:
        runner = LinkedEnv.running
        if runner is None or not queued():
            return None
        from nox_linkenv.plugins.nox.ahead import NoxQueue

        return NoxQueue(runner, queued())


def queued() -> Sequence[SessionRunner]:
    """Return the sessions that nox runs after the present one."""
    runner = LinkedEnv.running
    return list(getattr(runner.manifest, "_queue", ())) if runner is not None else ()


def _is_news(record: logging.LogRecord) -> bool:
    """Hold back what has been said already."""
    return not record.getMessage().startswith("Creating virtual environment")


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


@functools.cache
def _warn_of_misspelt_variables() -> None:
    """Warn of them, once in a run."""
    for line in misspelt_variables():
        logger.warning(line)


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Turn our errors, and what the system refuses, into a failed session with one clear message."""
    try:
        yield
    except (LinkenvError, OSError) as error:
        words = str(explained(error))
        logger.error(words)
        raise nox.command.CommandFailed(words) from error
