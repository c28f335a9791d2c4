"""Environments from the shell: made, furnished and thrown away without a host."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nox_linkenv.env.activation import activated
from nox_linkenv.env.assembly.link_source import open_store
from nox_linkenv.env.interpreter.discovery import find_interpreter
from nox_linkenv.env.interpreter.isolated import module_command, pip_command
from nox_linkenv.env.temporary import scratch_place
from nox_linkenv.errors import EnvError, ResolutionError
from nox_linkenv.progress import ASKING, INSTALLING, display_on, doing
from nox_linkenv.provision.cleanup import remove_environment
from nox_linkenv.provision.environment import Environment
from nox_linkenv.provision.installer import install
from nox_linkenv.provision.policy import Policy
from nox_linkenv.resolve.pip import observed
from nox_linkenv.resolve.request import Outcome, Request
from nox_linkenv.store.temporary import temporary_name
from nox_linkenv.store.trash import empty_trash

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nox_linkenv.config import Settings
    from nox_linkenv.progress import Display

__all__ = ["ShellPip", "ShellPolicy", "Throwaway", "throwaway"]

_QUIET: Final = ("--disable-pip-version-check",)
#: What virtualenv imports.
_VIRTUALENV: Final = ("distlib", "filelock", "platformdirs", "python_discovery")


class ShellPolicy(Policy):
    """What is being done is shown on standard error, where that does no harm.

    Args:
        quiet: whether nothing is.
    """

    host = "linkenv"

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def display(self) -> Display | None:
        return None if self._quiet else display_on(sys.stderr, lambda line: sys.stderr.write(f"{line}\n"))


class ShellPip:
    """The environment's pip, run as a user would run it in a shell; what it says goes to standard error."""

    def __init__(self, prefix: str, request: Request) -> None:
        self.prefix = prefix
        self.request = request

    def ask(self, arguments: Sequence[str], *, record: str) -> bool:
        self._run(["install", *self.request.arguments, *arguments], record, quiet=False)
        return True

    def fetch(self, arguments: Sequence[str], *, record: str | None = None) -> bool:
        try:
            self._run(arguments, record, quiet=True)
        except ResolutionError:
            return False
        return True

    def install(self, arguments: Sequence[str]) -> bool:
        self._run(["install", *arguments], None, quiet=False)
        return True

    def _run(self, arguments: Sequence[str], record: str | None, *, quiet: bool) -> None:
        command = [*pip_command(f"{self.prefix}/bin/python"), arguments[0], *_QUIET, *arguments[1:]]
        with nullcontext() if quiet else doing(ASKING if record else INSTALLING):
            done = subprocess.run(
                observed(command, record),
                env=dict(self.request.environ),
                cwd=self.request.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
            )
        if done.returncode != 0:
            if not quiet:
                sys.stderr.write(done.stdout)
            raise ResolutionError(f"pip has failed (exit code {done.returncode})", remedy="What it said stands above.")


@dataclass(slots=True)
class Throwaway:
    """An environment for as long as somebody wants it.

    Args:
        linked: the environment.
        environ: variables for what runs in it.
    """

    linked: Environment
    environ: dict[str, str]

    @classmethod
    def make(
        cls, prefix: str, settings: Settings, python: str | None, *, session: str, policy: Policy | None = None
    ) -> Throwaway:
        """Make a bare environment at *prefix*, replacing what stands there.

        Args:
            python: its interpreter: a version or a path; ``None`` for the one that runs this.

        Raises:
            EnvError: there is no such interpreter, or none can be made of it.
        """
        linked = Environment(prefix, settings, session=session, policy=policy)
        interpreter = find_interpreter(python, linked.store, age=settings.resolution_age)
        linked.ensure(interpreter, (), lambda: _by_virtualenv(prefix, interpreter))
        return cls(linked, activated(prefix))

    def install(self, arguments: Sequence[str]) -> Outcome | None:
        """Install what the *arguments* of ``pip install`` ask for."""
        if not arguments:
            return None
        request = Request(tuple(arguments), self.environ, os.getcwd())
        return install(self.linked, request, ShellPip(self.linked.prefix, request))

    def run(self, command: Sequence[str]) -> int:
        """Run *command* in the environment and return its exit code, as a shell has it.

        Raises:
            EnvError: there is no such program.
        """
        import shutil

        program = shutil.which(command[0], path=self.environ["PATH"])
        if program is None:
            raise EnvError(f"There is no program {command[0]!r}", remedy="Install what has it with --with.")
        with subprocess.Popen([program, *command[1:]], env=self.environ) as process:
            while True:
                try:
                    code = process.wait()
                    break
                except KeyboardInterrupt:  # the terminal has told the program, too
                    continue
        return code if code >= 0 else 128 - code

    def end(self) -> list[str]:
        """Look at it as after a session; return lines that say what was changed."""
        return self.linked.close(self.environ)


@contextlib.contextmanager
def throwaway(
    settings: Settings, python: str | None, *, session: str, policy: Policy | None = None
) -> Iterator[Throwaway]:
    """Make an environment that is gone when the context ends; its files are removed after this process."""
    prefix = f"{scratch_place(open_store(settings).layout)}/{temporary_name()}"
    environment = None
    try:
        environment = Throwaway.make(prefix, settings, python, session=session, policy=policy)
        yield environment
    finally:
        if environment is not None:
            with contextlib.suppress(OSError):
                environment.end()
            remove_environment(environment.linked.store, prefix)
        else:
            empty_trash(prefix)


def _by_virtualenv(prefix: str, interpreter: str) -> None:
    done = subprocess.run(
        [*module_command("virtualenv", _VIRTUALENV), "-q", "--python", interpreter, prefix],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise EnvError(
            f"virtualenv cannot make an environment ({done.stderr.strip() or done.stdout.strip()})",
            path=prefix,
            remedy="Name another interpreter with --python.",
        )
