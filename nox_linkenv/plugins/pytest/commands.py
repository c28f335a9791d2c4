"""Running commands of an environment, with their output where pytest captures it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from nox_linkenv.env.activation import activated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nox_linkenv.resolve.request import Request

__all__ = ["CapturedPip", "CommandFailedError", "command_environment", "run_command"]


class CommandFailedError(subprocess.CalledProcessError):
    """A command of an environment has failed; its output is in the captured output of the test, too."""

    def __str__(self) -> str:
        output = "".join(part for part in (self.stdout, self.stderr) if part).strip()
        lines = output.splitlines()
        shown = lines[-20:]
        left_out = [f"... {len(lines) - len(shown)} lines more"] if len(lines) > len(shown) else []
        return "\n".join([f"{shlex.join(self.cmd)} ended with exit code {self.returncode}", *left_out, *shown])


def command_environment(prefix: str, env: Mapping[str, str | None] | None) -> dict[str, str]:
    """Return the variables for commands of the environment at *prefix*: as if it had been activated.

    The interpreter that runs pytest must not reach into it.

    Args:
        env: variables to set besides, or with ``None`` to unset.
    """
    found = activated(prefix)
    for name, value in {"PYTHONPATH": None, **(env or {})}.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return found


def run_command(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | None,
    check: bool,
    input: str | None = None,  # noqa: A002 # as subprocess.run names it
    timeout: float | None = None,
    quiet: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run *command*, found on the PATH of *env*, and print what it printed.

    Raises:
        CommandFailedError: *check* is on and it has failed.
        FileNotFoundError: there is no such program.
        subprocess.TimeoutExpired: it has taken longer than *timeout* seconds, and has been killed.
    """
    __tracebackhide__ = True
    program = shutil.which(command[0], path=env.get("PATH"))
    if program is None:
        raise FileNotFoundError(f"There is no program {command[0]!r} in the environment or on PATH.")
    try:
        done = subprocess.run(
            [program, *command[1:]],
            env=dict(env),
            cwd=cwd,
            input="" if input is None else input,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        _show(command, _text(expired.stdout), _text(expired.stderr))
        raise
    if not quiet:
        _show(command, done.stdout, done.stderr)
    if check and done.returncode != 0:
        raise CommandFailedError(done.returncode, list(command), done.stdout, done.stderr)
    return done


def _text(output: bytes | str | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


def _show(command: Sequence[str], out: str, err: str) -> None:
    sys.stdout.write(f"$ {shlex.join(command)}\n{out}")
    sys.stdout.flush()
    sys.stderr.write(err)
    sys.stderr.flush()


class CapturedPip:
    """Runs the environment's own pip for one request."""

    def __init__(self, python: str, request: Request) -> None:
        self.python = python
        self.request = request

    def ask(self, arguments: Sequence[str], *, record: str) -> bool:
        __tracebackhide__ = True
        self._pip(["install", *self.request.arguments, *arguments], record, check=True)
        return True

    def fetch(self, arguments: Sequence[str], *, record: str | None = None) -> bool:
        return self._pip(arguments, record, check=False, quiet=True) == 0

    def install(self, arguments: Sequence[str]) -> bool:
        __tracebackhide__ = True
        self._pip(["install", *arguments], None, check=True)
        return True

    def _pip(self, arguments: Sequence[str], record: str | None, *, check: bool, quiet: bool = False) -> int:
        from nox_linkenv.resolve.pip import observed

        __tracebackhide__ = True
        command = observed([self.python, "-m", "pip", *arguments], record)
        done = run_command(command, env=self.request.environ, cwd=self.request.directory, check=check, quiet=quiet)
        return done.returncode
