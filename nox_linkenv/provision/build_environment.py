"""The environment that a project is built in: made and filled like any other, with a pip that only answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, TypeAlias

from packaging.utils import canonicalize_name

from nox_linkenv.env.installed import find_distributions
from nox_linkenv.env.plan import Plan
from nox_linkenv.env.skeleton import creator, has_pip_only, skeleton_name, stored_skeleton
from nox_linkenv.errors import EnvError
from nox_linkenv.progress import doing
from nox_linkenv.projects.backend import BackendError
from nox_linkenv.provision.environment import Environment
from nox_linkenv.provision.quiet_pip import run_quietly
from nox_linkenv.resolve.cache import UNKNOWN, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nox_linkenv.projects.build_target import BuildEnvironment, MakeBuildEnvironment
    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.resolve.request import Outcome, Request
    from nox_linkenv.store import Store

__all__ = ["build_environments"]

#: Of virtualenv: pip shows nothing but what the build requires, and nobody activates the environment.
_PARAMETERS: Final = ("--no-setuptools", "--activators=")

_Install: TypeAlias = "Callable[[Environment, Request, Pip], Outcome]"


def build_environments(target: Environment, install: _Install) -> MakeBuildEnvironment:
    """Return what makes build environments for projects that are to be installed in *target*.

    Args:
        install: what installs in an environment; it calls this module, which therefore does not import it.
    """

    def make(prefix: str, interpreter: str, project: str) -> BuildEnvironment:
        environment = Environment(prefix, target.settings, session=f"build of {project}", clock=target.clock)
        try:
            if not environment.create(interpreter, _parameters(environment.store, interpreter)):
                raise BackendError("no build environment can be linked for it")
        except EnvError as error:
            raise BackendError(str(error)) from error
        return _LinkedBuildEnvironment(environment, install)

    return make


def _parameters(store: Store, interpreter: str) -> Sequence[str]:
    """Return the parameters of virtualenv: none where a skeleton of that kind is stored, and has no setuptools."""
    name = skeleton_name(interpreter, (), creator=creator(), environ=os.environ)
    skeleton = None if name is None else stored_skeleton(store, name)
    return () if skeleton is not None and has_pip_only(skeleton) else _PARAMETERS


class _LinkedBuildEnvironment:
    """A build environment, which knows how old the oldest resolution is that it was made of."""

    def __init__(self, environment: Environment, install: _Install) -> None:
        self._environment = environment
        self._install = install
        self.prefix = environment.prefix
        self.oldest = environment.clock()
        self.reading = Reading()

    @property
    def plans(self) -> tuple[str, ...]:
        receipt = self._environment.receipt
        return () if receipt is None else receipt.plans

    def install(self, request: Request) -> None:
        outcome = self._install(self._environment, request, _BuildPip(self.prefix, request))
        if outcome.resolved is not None:
            self.oldest = min(self.oldest, outcome.resolved)
            self.reading += outcome.reading or UNKNOWN

    def wheels(self) -> dict[str, str] | None:
        receipt = self._environment.receipt
        if receipt is None:
            return None
        linked = {}
        for name in receipt.plans:
            plan = self._environment.store.load(name, Plan.from_json)
            if plan is None:
                return None
            for entry in plan.distributions:
                linked[str(canonicalize_name(entry[0]))] = entry[3]
        found = find_distributions(self.prefix, receipt.facts)
        return linked if all(item.name in linked or item.name == "pip" for item in found) else None

    def close(self, environ: Mapping[str, str]) -> None:
        self._environment.close(environ)


class _BuildPip:
    """Runs the pip of a build environment."""

    def __init__(self, prefix: str, request: Request) -> None:
        self.prefix = prefix
        self.request = request

    def ask(self, arguments: Sequence[str], *, record: str) -> bool:
        if not self._run(["install", *arguments, *self.request.arguments], record):
            raise BackendError("its build requirements cannot be installed")
        return True

    def fetch(self, arguments: Sequence[str], *, record: str | None = None) -> bool:
        return self._run(arguments, record)

    def install(self, arguments: Sequence[str]) -> bool:
        raise BackendError("its build requirements cannot be linked")

    def _run(self, arguments: Sequence[str], record: str | None) -> bool:
        with doing("asking pip what the build requires (resolving)"):
            return run_quietly(self.prefix, self.request, arguments, record)
