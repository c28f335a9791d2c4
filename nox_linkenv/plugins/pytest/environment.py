"""What tests get: environments, and what makes further ones."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nox_linkenv.plugins.pytest.commands import CapturedPip, CommandFailedError, command_environment, run_command
from nox_linkenv.provision.installer import install
from nox_linkenv.resolve.request import Request
from nox_linkenv.wheel.model import Scheme

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence

    from packaging.version import Version

    from nox_linkenv.plugins.pytest.session import Session
    from nox_linkenv.plugins.pytest.spec import EnvironmentSpec
    from nox_linkenv.provision.environment import Environment

__all__ = ["CommandFailedError", "LinkedEnvironment", "LinkedVenv", "LinkedVenvFactory"]


class LinkedEnvironment:
    """A virtual environment for tests.  It is made when anything of it is first asked for."""

    def __init__(self, session: Session, name: str, spec: EnvironmentSpec) -> None:
        self._session = session
        self._name = name
        self._spec = spec
        self._made = False
        self._environment: Environment | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}{'' if self._made else ', not made yet'}>"

    @property
    def path(self) -> Path:
        """The environment's directory, absolute."""
        __tracebackhide__ = True
        return Path(self._linked.prefix)

    @property
    def bin(self) -> Path:
        """The directory of its programs: ``bin``, on Windows ``Scripts``."""
        __tracebackhide__ = True
        return self.path / ("Scripts" if sys.platform == "win32" else "bin")

    @property
    def python(self) -> Path:
        """Its interpreter."""
        __tracebackhide__ = True
        return self.bin / ("python.exe" if sys.platform == "win32" else "python")

    @property
    def site_packages(self) -> Path:
        """Where pure Python packages are installed in it."""
        receipt = self._linked.receipt
        if receipt is not None:
            return self.path / receipt.facts.schemes[Scheme.PURELIB]
        ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
        return Path(self._run([str(self.python), "-c", ask], quiet=True).stdout.strip())

    def run(
        self,
        *args: str | os.PathLike[str],
        check: bool = True,
        env: Mapping[str, str | None] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        input: str | None = None,  # noqa: A002 # as subprocess.run names it
        timeout: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as if the environment were activated.

        What it prints is returned, and printed where pytest captures it: a failed test shows it.

        Args:
            args: the program, looked for in the environment first, and its arguments.
            check: whether a failure of the command is one of the test.
            env: variables to set besides those of this process, or with ``None`` to unset.
            cwd: directory to run in; the current one.
            input: its standard input; empty.
            timeout: seconds after which it is killed.

        Raises:
            CommandFailedError: it has failed, and *check* is on; a ``subprocess.CalledProcessError``.
            FileNotFoundError: there is no such program.
            subprocess.TimeoutExpired: it has taken too long.
        """
        __tracebackhide__ = True
        with self._session.timed("run"):
            return self._run([os.fspath(arg) for arg in args], check, env, cwd, input, timeout)

    def install(
        self,
        *requirements: str | os.PathLike[str],
        editable: bool = False,
        upgrade: bool = False,
        extra_args: Sequence[str] = (),
        env: Mapping[str, str | None] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> None:
        """Install as ``pip install`` does.

        Args:
            requirements: arguments of ``pip install``: requirements, paths of projects and wheels, options.
            editable: install all of them with ``-e``.
            upgrade: with ``--upgrade``.
            extra_args: options to go before the requirements.
            env: variables to set besides those of this process, or with ``None`` to unset.
            cwd: directory that relative paths start from; the current one.

        Raises:
            CommandFailedError: pip has failed.
            LinkenvError: the store or the environment cannot be written, or ``--linkenv-offline`` is on and the
                request is not remembered.
        """
        __tracebackhide__ = True
        linked = self._linked
        arguments = ["--upgrade"] * upgrade + [os.fspath(argument) for argument in extra_args]
        for requirement in requirements:
            arguments += ["-e"] * editable + [os.fspath(requirement)]
        environ = command_environment(str(self.path), env)
        request = Request(tuple(arguments), environ, os.path.abspath(cwd or os.getcwd()))
        with self._session.timed("install"):
            outcome = install(linked, request, CapturedPip(str(self.python), request))
        self._session.say_installed(outcome)

    def uninstall(self, *names: str) -> None:
        """Uninstall distributions.

        Raises:
            importlib.metadata.PackageNotFoundError: one is not installed; then none is uninstalled.
            CommandFailedError: pip has failed.
        """
        from importlib.metadata import PackageNotFoundError

        from packaging.utils import canonicalize_name

        from nox_linkenv.env.installed import find_distributions, uninstall

        __tracebackhide__ = True
        receipt = self._linked.receipt
        wanted = {canonicalize_name(name): name for name in names}
        if receipt is None:
            self._run([str(self.python), "-m", "pip", "uninstall", "-y", *names])
            return
        found = {item.name: item for item in find_distributions(self._linked.prefix, receipt.facts)}
        for canonical, name in wanted.items():
            if canonical not in found:
                raise PackageNotFoundError(name)
        for canonical, name in wanted.items():
            if found[canonical].removable:
                uninstall(self._linked.prefix, found[canonical], receipt.facts)
            else:
                self._run([str(self.python), "-m", "pip", "uninstall", "-y", name])
        self._linked.assembler.touch(receipt.facts.site_packages)

    def get_version(self, name: str, *, raises: bool = True) -> Version | None:
        """Return the version of a distribution that is installed in the environment.

        Returns ``None`` where it is not and *raises* is off.

        Raises:
            importlib.metadata.PackageNotFoundError: it is not installed.
        """
        from importlib.metadata import PackageNotFoundError, distributions

        from packaging.version import Version

        __tracebackhide__ = True
        receipt = self._linked.receipt
        directories = receipt.facts.site_packages if receipt is not None else [str(self.site_packages)]
        for found in distributions(name=name, path=[str(self.path / directory) for directory in directories]):
            return Version(found.version)
        if raises:
            raise PackageNotFoundError(name)
        return None

    def freeze(self) -> list[str]:
        """Return the lines of ``pip freeze``; this starts the environment's pip.

        Raises:
            CommandFailedError: pip has failed.
        """
        __tracebackhide__ = True
        command = [str(self.python), "-m", "pip", "freeze", "--disable-pip-version-check"]
        return self._run(command, quiet=True).stdout.splitlines()

    def clone(self) -> LinkedEnvironment:
        """Return a new environment that is as this one is now: what was installed, changed and left in it."""
        __tracebackhide__ = True
        source = self._linked
        copy = LinkedEnvironment(self._session, self._name, replace(self._spec, requirements=()))
        self._session.make_alike(source, copy._linked)
        return copy

    @property
    def _linked(self) -> Environment:
        """The environment, made when it is first asked for; a cached property would show its own code in tracebacks."""
        __tracebackhide__ = True
        if self._environment is None:
            self._environment = self._session.make(self._name, self._spec)
            self._made = True
            if self._spec.requirements:
                self.install(*self._spec.requirements)
        return self._environment

    def _run(
        self,
        command: list[str],
        check: bool = True,
        env: Mapping[str, str | None] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        input: str | None = None,  # noqa: A002
        timeout: float | None = None,
        *,
        quiet: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        __tracebackhide__ = True
        return run_command(
            command,
            env=command_environment(str(self.path), env),
            cwd=None if cwd is None else os.fspath(cwd),
            check=check,
            input=input,
            timeout=timeout,
            quiet=quiet,
        )


class LinkedVenvFactory:
    """Makes environments which live as long as what it was made for: a test or the session.

    Args:
        name: what the names of the environments begin with.
        defaults: what they are made with, unless a call says otherwise.
    """

    def __init__(self, session: Session, name: str, defaults: EnvironmentSpec) -> None:
        self._session = session
        self._name = name
        self._defaults = defaults

    def __call__(
        self,
        requirements: Sequence[str | os.PathLike[str]] = (),
        *,
        python: str | os.PathLike[str] | None = None,
        system_packages: bool | None = None,
        extra_args: Sequence[str] | None = None,
    ) -> LinkedEnvironment:
        """Make an environment.

        Args:
            requirements: what to install in it, as for :meth:`LinkedEnvironment.install`.
            python: its interpreter: a version such as ``3.12``, a name or a path.
            system_packages: whether it sees the packages of its base interpreter.
            extra_args: arguments for virtualenv.

        Raises:
            MissingPythonError: there is no such interpreter.
            CommandFailedError: pip has failed.
            LinkenvError: the store or the environment cannot be written.
        """
        __tracebackhide__ = True
        if isinstance(requirements, str):
            raise TypeError(f"requirements is a sequence of strings, not one string: [{requirements!r}]")
        spec = self._defaults.but(
            requirements=tuple(os.fspath(requirement) for requirement in requirements),
            python=None if python is None else os.fspath(python),
            system_packages=system_packages,
            extra_args=None if extra_args is None else tuple(extra_args),
        )
        environment = LinkedEnvironment(self._session, self._name, spec)
        environment._linked  # noqa: B018 # it is made now
        return environment


class LinkedVenv(LinkedEnvironment):
    """The environment of a test; calling it makes further ones."""

    def __init__(self, session: Session, name: str, spec: EnvironmentSpec) -> None:
        super().__init__(session, name, spec)
        self._factory = LinkedVenvFactory(session, name, spec.but(requirements=()))

    def __call__(
        self,
        requirements: Sequence[str | os.PathLike[str]] = (),
        *,
        python: str | os.PathLike[str] | None = None,
        system_packages: bool | None = None,
        extra_args: Sequence[str] | None = None,
    ) -> LinkedEnvironment:
        """Make a further environment; as :meth:`LinkedVenvFactory.__call__`, with the marker's values as defaults."""
        __tracebackhide__ = True
        return self._factory(requirements, python=python, system_packages=system_packages, extra_args=extra_args)
