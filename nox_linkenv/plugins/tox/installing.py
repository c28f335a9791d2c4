"""Answering the installs of tox.

All that tox does with a command (its line in the output, log file, journal, exit code, interrupts, redaction) it does
around an executor.  So an install that is answered here is one execution to tox, whatever becomes of it: pip is asked,
wheels are fetched, files are linked, all under the user's own command.
"""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from tox.execute.api import ExecuteInstance, ExecuteOptions, ExecuteStatus
from tox.execute.local_sub_process import LocalSubProcessExecutor
from tox.execute.stream import SyncWrite

from nox_linkenv.errors import LinkenvError, explained
from nox_linkenv.provision.installer import install
from nox_linkenv.resolve.request import Request

if TYPE_CHECKING:
    from types import TracebackType

    from tox.execute.request import ExecuteRequest

    from nox_linkenv.provision.environment import Environment

__all__ = ["LinkedExecutor", "beginning"]

#: How commands begin that are pip's install in the environment; the first is tox's own ``install_command``.
_INSTALLS: Final = (
    ["python", "-I", "-m", "pip", "install"],
    ["python", "-m", "pip", "install"],
    ["python3", "-I", "-m", "pip", "install"],
    ["python3", "-m", "pip", "install"],
    ["pip", "install"],
    ["pip3", "install"],
)
#: What pip ends a dry run with.
_WOULD: Final = b"Would install "
_INTERRUPTED: Final = -2  # tox's own code for it
#: tox sets ``PIP_USER=0`` for every command: so pip installs into the environment, as it does without the variable.
_OFF: Final = {"PIP_USER": "0"}

_Plain = Callable[["ExecuteRequest", SyncWrite, SyncWrite], ExecuteInstance]


def beginning(command: Sequence[str]) -> list[str] | None:
    """Return how *command* begins if it is pip's install in the environment: all that stands before its arguments."""
    return next((found for found in _INSTALLS if list(command[: len(found)]) == found), None)


class LinkedExecutor(LocalSubProcessExecutor):
    """Runs commands as tox does, but for the installs of tox's own installer.

    Args:
        colored: whether output has colours.
        linked: returns the environment that answers an install, or ``None`` where pip is to do all itself.
    """

    def __init__(self, colored: bool, linked: Callable[[], Environment | None]) -> None:
        super().__init__(colored)
        self._linked = linked
        #: Whether any command has been run, pip's included.
        self.ran = False

    def build_instance(
        self, request: ExecuteRequest, options: ExecuteOptions, out: SyncWrite, err: SyncWrite
    ) -> ExecuteInstance:
        """Return what executes *request*."""
        build = super().build_instance

        def plain(request: ExecuteRequest, out: SyncWrite, err: SyncWrite) -> ExecuteInstance:
            return build(request, options, out, err)

        def running(request: ExecuteRequest, out: SyncWrite, err: SyncWrite) -> ExecuteInstance:
            self.ran = True
            return plain(request, out, err)

        if request.run_id.startswith("install_"):
            environment = self._linked()
            if environment is not None and beginning(request.cmd) is not None:
                return _Installation(plain, running, environment, request, options, out, err)
        return running(request, out, err)


class _Installation(ExecuteInstance):
    def __init__(
        self,
        plain: _Plain,
        running: _Plain,
        environment: Environment,
        request: ExecuteRequest,
        options: ExecuteOptions,
        out: SyncWrite,
        err: SyncWrite,
    ) -> None:
        super().__init__(request, options, out, err)
        self._plain = plain
        self._running = running
        self._environment = environment

    @property
    def cmd(self) -> Sequence[str]:
        """The user's command, its program found; tox refuses here what is not allowed."""
        return self._plain(self.request, self._out, self._err).cmd

    def __enter__(self) -> ExecuteStatus:
        return _Status(self._running, self._environment, self.request, self.options, self._out, self._err)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        """All has been waited for."""


class _Asked(SyncWrite):
    """Passes the output of pip on, but for what it says it would do: that is done, and said, afterwards."""

    def __init__(self, say: Callable[[bytes], object]) -> None:
        super().__init__("asked", None)
        self._say = say
        self._rest = b""

    def handler(self, content: bytes) -> int:
        """Pass on all whole lines; those of progress bars end in a carriage return."""
        lines = (self._rest + content).splitlines(keepends=True)
        self._rest = lines.pop() if lines and not lines[-1].endswith((b"\r", b"\n")) else b""
        self._say(b"".join(line for line in lines if not line.startswith(_WOULD)))
        return len(content)

    def finish(self) -> None:
        """Pass on the last line, which has no end."""
        self._say(self._rest)


class _FailedError(Exception):
    """A command of pip has failed, or was interrupted."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Status(ExecuteStatus):
    """The install as tox follows it; also the pip that provisioning asks.

    The work is done in ``wait``: tox can interrupt only what it has begun to wait for.
    """

    def __init__(
        self,
        plain: _Plain,
        environment: Environment,
        request: ExecuteRequest,
        options: ExecuteOptions,
        out: SyncWrite,
        err: SyncWrite,
    ) -> None:
        super().__init__(options, out, err)
        self._plain = plain
        self._environment = environment
        self._request = request
        self._beginning = beginning(request.cmd) or []
        self._exit_code: int | None = None
        self._current: ExecuteStatus | None = None
        self._last: ExecuteStatus | None = None
        self._interrupted = False

    @property
    def exit_code(self) -> int | None:
        """Of pip; 0 where it was not needed."""
        return self._exit_code

    @property
    def metadata(self) -> dict[str, object]:  # type: ignore[override] # a narrower type in newer versions
        """That of the last process, whose exit code is ours."""
        return {} if self._last is None else dict(self._last.metadata)

    def wait(self, timeout: float | None = None) -> int | None:
        """Do the work; it cannot be left half-way, so *timeout* is not looked at."""
        del timeout
        if self._exit_code is None:
            self._exit_code = self._work()
        return self._exit_code

    def write_stdin(self, content: str) -> None:
        """Nothing is asked of the user."""

    def interrupt(self) -> None:
        """Interrupt the process that is running, and start no more."""
        self._interrupted = True
        current = self._current
        if current is not None:
            current.interrupt()

    def ask(self, arguments: Sequence[str], *, record: str) -> bool:
        """Run the user's command with *arguments* added."""
        from nox_linkenv.progress import ASKING, doing
        from nox_linkenv.resolve.pip import observed

        out = _Asked(self._say)
        with doing(ASKING):
            code = self._run(observed([*self._request.cmd, *arguments], record), out, self._err)
        out.finish()
        if code != 0:
            raise _FailedError(code)
        return True

    def fetch(self, arguments: Sequence[str], *, record: str | None = None) -> bool:
        """Run another command of pip, and show none of it."""
        from nox_linkenv.resolve.pip import observed

        out, err = SyncWrite("fetch-out", None), SyncWrite("fetch-err", None)
        code = self._run(observed([*self._beginning[:-1], *arguments], record), out, err)
        if code != 0:
            logging.debug("%s%s", out.text, err.text)
        return code == 0

    def install(self, arguments: Sequence[str]) -> bool:
        """Run the user's command with other *arguments*."""
        from nox_linkenv.progress import INSTALLING, doing

        with doing(INSTALLING):
            code = self._run([*self._beginning, *arguments], self._out, self._err)
        if code != 0:
            raise _FailedError(code)
        return True

    def _work(self) -> int:
        request = self._request
        environ = {name: value for name, value in request.env.items() if _OFF.get(name) != value}
        arguments = tuple(request.cmd[len(self._beginning) :])
        try:
            outcome = install(self._environment, Request(arguments, environ, str(request.cwd)), self)
        except _FailedError as failed:
            return failed.code
        except (LinkenvError, OSError) as error:
            self._err.handler(f"ERROR: {explained(error)}\n".encode())
            return 1
        installed = " ".join(f"{name}-{version}" for name, version in outcome.installed)
        lines = [f"Successfully installed {installed}"] if installed else []  # as pip says it
        self._say("".join(f"{line}\n" for line in [*lines, f"linked: {outcome.summary()}"]).encode())
        logging.info("linked: %s", outcome.summary())
        for warning in outcome.warnings:
            logging.warning(warning)
        return 0

    def _say(self, content: bytes) -> None:
        """Say what pip would have said: on the standard output itself where tox does not capture."""
        if getattr(self.options, "no_capture", False):
            sys.stdout.write(content.decode(errors="replace"))
        else:
            self._out.handler(content)

    def _run(self, command: list[str], out: SyncWrite, err: SyncWrite) -> int:
        if self._interrupted:
            raise _FailedError(_INTERRUPTED)
        request = copy.copy(self._request)
        request.cmd = command
        if out is not self._out:
            request.capture = True  # even with --no-capture: what is to be seen of it is passed on
        with self._plain(request, out, err) as status:
            self._current = self._last = status
            if self._interrupted:
                status.interrupt()
            while status.wait() is None:
                pass
        self._current = None
        code = status.exit_code
        if self._interrupted:
            raise _FailedError(code or _INTERRUPTED)
        return 1 if code is None else code
