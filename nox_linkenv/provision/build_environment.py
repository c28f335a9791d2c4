"""The environment that a project is built in: provisioned like any other, with a pip that only answers."""

from __future__ import annotations

import functools
import subprocess
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_linkenv.env.installed import find_distributions
from nox_linkenv.env.interpreter.isolated import pip_command
from nox_linkenv.env.plan import Plan
from nox_linkenv.projects.backend import BackendError
from nox_linkenv.provision.installer import Provision

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.resolve.cache import CachedResolution
    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.resolve.pip_arguments import Arguments
    from nox_linkenv.resolve.request import Outcome, Request

__all__ = ["BuildEnvironment", "BuildPip"]


class BuildEnvironment(Provision):
    """A build environment, which knows how old the oldest resolution is that it was made of."""

    @functools.cached_property
    def oldest(self) -> float:
        """Seconds since the epoch; now, where nothing was resolved."""
        return self.clock()

    @property
    def plans(self) -> tuple[str, ...]:
        """The names of the plans that have been carried out in it."""
        return self.receipt.plans if self.receipt is not None else ()

    def install(self, request: Request, pip: Pip) -> Outcome:
        self.oldest = min(self.oldest, self.clock())
        return super().install(request, pip)

    def _replay(self, answer: CachedResolution, receipt: Receipt, arguments: Arguments, pip: Pip) -> Outcome | None:
        outcome = super()._replay(answer, receipt, arguments, pip)
        if outcome is not None:
            self.oldest = min(self.oldest, answer.time)
        return outcome

    def wheels(self) -> dict[str, str] | None:
        """Return the digests of the wheels linked into it, by name; ``None`` where anything was left to pip."""
        if self.receipt is None:
            return None
        linked = {}
        for name in self.receipt.plans:
            text = self.store.read(name)
            if text is None:
                return None
            for entry in Plan.loads(text).distributions:
                linked[str(canonicalize_name(entry[0]))] = entry[3]
        found = find_distributions(self.prefix, self.receipt.facts)
        return linked if all(item.name in linked or item.name == "pip" for item in found) else None


class BuildPip:
    """Runs the pip of a build environment."""

    def __init__(self, python: str, request: Request) -> None:
        self.python = python
        self.request = request

    def ask(self, arguments: Sequence[str]) -> bool:
        if not self._run(["install", *arguments, *self.request.arguments]):
            raise BackendError("its build requirements cannot be installed")
        return True

    def fetch(self, arguments: Sequence[str]) -> bool:
        return self._run(arguments)

    def install(self, arguments: Sequence[str]) -> bool:
        raise BackendError("its build requirements cannot be linked")

    def _run(self, arguments: Sequence[str]) -> bool:
        environ: Mapping[str, str] = self.request.environ
        done = subprocess.run(
            [*pip_command(self.python), *arguments],
            cwd=self.request.directory,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done.returncode == 0
