"""The build backend of a project: which it is, and calling its hooks.

Sources: PEP 517, PEP 518, PEP 660 and
https://packaging.python.org/en/latest/specifications/pyproject-toml/#declaring-build-system-dependencies-the-build-system-table
"""

from __future__ import annotations

import os
import subprocess
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.progress import doing
from nox_linkenv.toml import parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Backend", "BackendError", "BuildSystem", "read_build_system"]

#: Without a ``[build-system]`` table, as pip does it.
_LEGACY: Final = "setuptools.build_meta:__legacy__"
_LEGACY_REQUIRES: Final = ("setuptools>=40.8.0",)


class BackendError(Exception):
    """The project cannot be built in the way of this module; real pip is to say why."""


@dataclass(frozen=True, slots=True)
class BuildSystem:
    """How a project is built.

    Args:
        requires: requirements of the build, before the backend is asked for more.
        backend: its entry point.
        backend_path: directories of the project that hold it.
    """

    requires: tuple[str, ...]
    backend: str
    backend_path: tuple[str, ...]

    @property
    def keyable(self) -> bool:
        """Whether the same requirements mean the same distributions, apart from what the index has."""
        return not any("@" in requirement for requirement in self.requires)


def read_build_system(project: str) -> BuildSystem:
    """Return how the project in the directory *project* is built.

    Raises:
        BackendError: pip would refuse it, or treat it in a way that is not done here.
    """
    try:
        with open(os.path.join(project, "pyproject.toml"), "rb") as stream:
            content = stream.read()
    except FileNotFoundError:
        if not os.path.isfile(os.path.join(project, "setup.py")):
            raise BackendError("it is no Python project") from None
        return BuildSystem(_LEGACY_REQUIRES, _LEGACY, ())
    except OSError as error:
        raise BackendError(f"{error.filename} cannot be read ({error.strerror})") from error
    try:
        table = parse_toml(content.decode()).get("build-system")
    except ValueError as error:
        raise BackendError(f"its pyproject.toml is not TOML ({error})") from error
    if table is None:
        return BuildSystem(_LEGACY_REQUIRES, _LEGACY, ())
    if not isinstance(table, dict) or "requires" not in table:
        raise BackendError("its pyproject.toml has no build-system.requires")
    requires, path = table["requires"], table.get("backend-path", [])
    backend = table.get("build-backend", _LEGACY)
    if not _strings(requires) or not _strings(path) or not isinstance(backend, str):
        raise BackendError("its build-system table is not of the form that is prescribed")
    if "build-backend" not in table:
        # pip adds nothing to the requirements then, and refuses where setuptools is not among them.
        return BuildSystem(tuple(requires), _LEGACY, ())
    return BuildSystem(tuple(requires), backend, tuple(path))


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


class Backend:
    """The hooks of one project's backend, each called in a process of its own (PEP 517).

    Args:
        project: real path of the project.
        system: how it is built.
        python: the interpreter of the build environment.
        environ: all variables that the hooks run with.
        config: settings for the backend.
        called: what it is called to a user.
    """

    def __init__(
        self,
        project: str,
        system: BuildSystem,
        python: str,
        environ: Mapping[str, str],
        config: Mapping[str, str | list[str]],
        called: str = "",
    ) -> None:
        import pyproject_hooks

        self.called = called or os.path.basename(project)
        self.environ = environ
        self.config = dict(config) or None
        self.output: list[str] = []
        self._caller = pyproject_hooks.BuildBackendHookCaller(
            project,
            system.backend,
            backend_path=list(system.backend_path) or None,
            runner=self._run,
            python_executable=python,
        )

    def requires(self, *, editable: bool) -> list[str]:
        """Return what the backend wants installed besides.

        Raises:
            BackendError: the hook failed, or an editable is asked of a backend that makes none.
        """
        if not editable:
            return list(self._call("get_requires_for_build_wheel", self.config))
        if "build_editable" not in self._call("_supported_features"):
            raise BackendError("its backend makes no editables")
        return list(self._call("get_requires_for_build_editable", self.config))

    def build(self, directory: str, *, editable: bool) -> str:
        """Build a wheel into *directory* and return its path.

        Raises:
            BackendError: the hook failed.
        """
        name = self._call("build_editable" if editable else "build_wheel", directory, self.config)
        return os.path.join(directory, str(name))

    def _call(self, hook: str, *arguments: object) -> Any:
        import pyproject_hooks

        # pip shows no output of a build; newer versions of the library warn in this process of what the backend warns.
        forwarded = getattr(pyproject_hooks, "BuildBackendWarning", None)
        try:
            with warnings.catch_warnings():
                if forwarded is not None:
                    warnings.simplefilter("ignore", forwarded)
                return getattr(self._caller, hook)(*arguments)
        except (
            subprocess.CalledProcessError,
            pyproject_hooks.BackendUnavailable,
            pyproject_hooks.HookMissing,
            OSError,
            ValueError,
        ) as error:
            raise BackendError(f"its backend failed in {hook}: {error}") from error

    def _run(self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
        with doing(f"building {self.called}"):
            done = subprocess.run(
                list(cmd),
                cwd=cwd,
                env={**self.environ, **(extra_environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
            )
        self.output.append(done.stdout)
        if done.returncode != 0:
            raise subprocess.CalledProcessError(done.returncode, list(cmd), done.stdout)
