"""What of nox's queue is worth doing ahead; see :mod:`nox_linkenv.provision.ahead.leader`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from nox_linkenv.provision.ahead.leader import Coming, host_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox.sessions import SessionRunner

__all__ = ["NoxQueue", "command"]

#: What nox imports.
_NEEDED: Final = ("nox", "argcomplete", "attr", "attrs", "colorlog", "dependency_groups", "humanize")


def command() -> list[str]:
    """Return the command that starts the process which works ahead."""
    return host_command("nox_linkenv.plugins.nox.ahead_process", _NEEDED)


class NoxQueue:
    """A session of nox, and those after it.

    Args:
        runner: of the session.
        queued: those that come after it, in nox's order.
    """

    def __init__(self, runner: SessionRunner, queued: Sequence[SessionRunner]) -> None:
        self._runner = runner
        self._queued = queued

    def command(self) -> list[str]:
        return command()

    def present(self) -> Coming:
        return _coming(self._runner)

    def coming(self) -> Sequence[Coming]:
        return [_coming(runner) for runner in self._queued if _is_linked(runner)]

    def kind(self) -> object:
        return _kind(self._runner)

    def alike(self) -> Sequence[Coming]:
        kind = _kind(self._runner)
        return [_coming(runner) for runner in self._queued if _kind(runner) == kind and _is_made(runner)]


def _coming(runner: SessionRunner) -> Coming:
    python, name = runner.func.python, runner.friendly_name
    interpreter = python if isinstance(python, str) else None
    return Coming(name, interpreter, list(runner.func.venv_params or ()), {"NOX_CURRENT_SESSION": name})


def _kind(runner: SessionRunner) -> tuple[str, str]:
    """Return its name and parameters, as nox has them: what tells it from others, its Python aside."""
    return runner.name, runner.friendly_name.removeprefix(runner.name).removeprefix(f"-{runner.func.python}")


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
