"""Answering ``session.install``, and ``session.run("pip", "install", ...)``, in a linked environment."""

from __future__ import annotations

import inspect
import os
import shlex
import subprocess
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import nox.command
from nox.logger import logger
from nox.popen import popen

from nox_linkenv.plugins.nox.environment import reported
from nox_linkenv.provision.installer import install as install_request
from nox_linkenv.resolve.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nox_linkenv.plugins.nox.environment import LinkedEnv

__all__ = ["install"]


def install(
    environment: LinkedEnv,
    command: Sequence[str],
    beginning: int,
    options: Mapping[str, Any],
    *,
    run: Callable[..., str | bool],
) -> str | bool:
    """Answer the *command* of a session in *environment*; return what ``nox.command.run`` would.

    Args:
        beginning: how many words of it come before what is to be installed: ``python -m pip install``, ``pip install``.
        options: those that nox runs it with.
        run: nox's own ``nox.command.run``.
    """
    if options.get("log", True):
        logger.info(" ".join([command[0], shlex.join(command[1:])]))
    env: Mapping[str, str | None] = options.get("env") or os.environ
    request = Request(
        tuple(command[beginning:]), {name: value for name, value in env.items() if value is not None}, os.getcwd()
    )
    with reported():
        outcome = install_request(environment.linked, request, _SessionPip(command, beginning, options, run))
    logger.info(f"linked: {outcome.summary()}")
    for warning in outcome.warnings:
        logger.warning(warning)
    if outcome.installed:
        line = " ".join(["Successfully installed", *sorted(f"{name}-{version}" for name, version in outcome.installed)])
        stream = options.get("stdout")
        if options.get("silent"):
            logger.output(line)
        else:
            print(line, file=stream if hasattr(stream, "write") else sys.stdout, flush=True)
    return "" if options.get("silent") else True


class _SessionPip:
    """Runs pip as nox would run it for the session.

    Args:
        command: of the session.
        beginning: how many words of it come before what is to be installed.
        options: those that nox runs it with.
        run: nox's own ``nox.command.run``.
    """

    def __init__(
        self, command: Sequence[str], beginning: int, options: Mapping[str, Any], run: Callable[..., str | bool]
    ) -> None:
        self.command = command
        self.beginning = beginning
        self.options = options
        self.run = run

    def ask(self, arguments: Sequence[str], *, record: str) -> bool:
        """Run the user's own command through nox, whose messages it makes, with *arguments* added behind its back."""
        from nox_linkenv.progress import ASKING
        from nox_linkenv.resolve.pip import observed

        codes = []

        def asking(command: Sequence[str], **options: Any) -> tuple[int, str]:
            code, output = self._shown(ASKING, observed([*self._by_python(command), *arguments], record), options)
            codes.append(code)
            return code, output if code else ""

        self._run(self.command, asking)
        return codes[-1] == 0

    def fetch(self, arguments: Sequence[str], *, record: str | None = None) -> bool:
        from nox_linkenv.resolve.pip import observed

        quiet = {**self.options, "silent": True, "stdout": None, "stderr": subprocess.STDOUT}
        code, _ = self._popen(observed(["python", "-m", "pip", *arguments], record), quiet)
        return code == 0

    def install(self, arguments: Sequence[str]) -> bool:
        from nox_linkenv.progress import INSTALLING

        def installing(command: Sequence[str], **options: Any) -> tuple[int, str]:
            return self._shown(INSTALLING, command, options)

        return bool(self._run((*self.command[: self.beginning], *arguments), installing))

    def _run(self, command: Sequence[str], started: Callable[..., tuple[int, str]]) -> str | bool:
        """Run *command* through nox, which starts the process by *started*."""
        nox.command.popen = started  # type: ignore[attr-defined]
        try:
            return self.run(command, **{**self.options, "log": False})
        finally:
            nox.command.popen = popen  # type: ignore[attr-defined]

    def _shown(self, what: str, command: Sequence[str], options: Mapping[str, Any]) -> tuple[int, str]:
        """Run *command* as nox does; it is shown what it does, unless it shows that itself."""
        from nox_linkenv.progress import doing

        with doing(what) if self.options.get("silent") else nullcontext():
            return popen(command, **options)

    def _by_python(self, command: Sequence[str]) -> list[str]:
        """Return *command*, as nox would run it, with the interpreter in front where it begins with the script."""
        if self.command[0] == "python":
            return list(command)
        return [os.path.join(os.path.dirname(command[0]), "python"), "-m", "pip", *command[1:]]

    def _popen(self, command: Sequence[str], options: Mapping[str, Any]) -> tuple[int, str]:
        known = inspect.signature(popen).parameters
        env = options.get("env")
        return popen(
            [nox.command.which(command[0], options["paths"]), *command[1:]],
            env=None if env is None else {name: value for name, value in env.items() if value is not None},
            **{name: options[name] for name in options if name in known and name != "env"},
        )
