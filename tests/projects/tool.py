"""Projects of every kind, and installing them through the one entry that hosts call."""

from __future__ import annotations

import shutil
import subprocess
import textwrap
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nox_linkenv.config import Settings
from nox_linkenv.provision.environment import Environment
from nox_linkenv.provision.installer import install
from nox_linkenv.resolve.pip import observed
from nox_linkenv.resolve.request import Outcome, Request
from tests.parity.snapshot import Tree, snapshot
from tests.support.backend import IN_TREE, backend_text
from tests.support.environment import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["BACKENDS", "Bench", "PipFailedError", "git", "make_project", "make_value_project"]

_PROJECT: Final = """
    [project]
    name = "demo"
    {version}
    requires-python = ">=3.8"
    [project.optional-dependencies]
    test = ["iniconfig<2.1"]
    [project.scripts]
    demo = "demo:main"
"""
_STATIC: Final = 'version = "1.0"'
_DYNAMIC: Final = 'dynamic = ["version"]'
_SETUP: Final = """
    from setuptools import setup
    setup(name="demo", version="1.0", package_dir={"": "src"}, packages=["demo"],
          extras_require={"test": ["iniconfig<2.1"]},
          entry_points={"console_scripts": ["demo = demo:main"]})
"""
_EXTENSION: Final = """
    from setuptools import Extension, setup
    setup(package_dir={"": "src"}, packages=["demo"], ext_modules=[Extension("demo._speed", ["src/demo/_speed.c"])])
"""
_SPEED: Final = """
    #include <Python.h>
    static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_speed", NULL, -1, NULL};
    PyMODINIT_FUNC PyInit__speed(void) { return PyModule_Create(&module); }
"""

_CMAKE: Final = """
    cmake_minimum_required(VERSION 3.15)
    project(demo LANGUAGES C)
    find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
    Python_add_library(_speed MODULE src/demo/_speed.c WITH_SOABI)
    install(TARGETS _speed DESTINATION demo)
"""
_MESON: Final = """
    project('demo', 'c', version: '1.0')
    python = import('python').find_installation(pure: false)
    python.install_sources('src/demo/__init__.py', subdir: 'demo')
    python.extension_module('_speed', 'src/demo/_speed.c', install: true, subdir: 'demo')
"""


def _system(requires: str, backend: str, rest: str = "", version: str = _STATIC) -> str:
    head = f'[build-system]\nrequires = [{requires}]\nbuild-backend = "{backend}"\n'
    return head + textwrap.dedent(_PROJECT).format(version=version) + textwrap.dedent(rest)


#: Name of a backend -> the files of a project that is built with it.
BACKENDS: Final[Mapping[str, Mapping[str, str]]] = {
    "setuptools": {"pyproject.toml": _system('"setuptools>=64"', "setuptools.build_meta")},
    "setup.py": {"setup.py": _SETUP},
    "extension": {
        "pyproject.toml": _system('"setuptools>=64"', "setuptools.build_meta"),
        "setup.py": _EXTENSION,
        "src/demo/_speed.c": _SPEED,
    },
    "hatchling": {"pyproject.toml": _system('"hatchling"', "hatchling.build")},
    "flit": {
        "pyproject.toml": _system(
            '"flit_core>=3.4"', "flit_core.buildapi", version='version = "1.0"\ndescription = "x"'
        )
    },
    "poetry": {
        "pyproject.toml": _system(
            '"poetry-core>=1.9"',
            "poetry.core.masonry.api",
            '[tool.poetry]\npackages = [{include = "demo", from = "src"}]\n',
        )
    },
    "uv": {"pyproject.toml": _system('"uv_build>=0.9"', "uv_build")},
    "pdm": {"pyproject.toml": _system('"pdm-backend"', "pdm.backend")},
    "scikit-build-core": {
        "pyproject.toml": _system(
            '"scikit-build-core>=0.10"',
            "scikit_build_core.build",
            '[tool.scikit-build]\nwheel.packages = ["src/demo"]\n',
        ),
        "CMakeLists.txt": _CMAKE,
        "src/demo/_speed.c": _SPEED,
    },
    "meson-python": {
        "pyproject.toml": _system('"meson-python>=0.16"', "mesonpy"),
        "meson.build": _MESON,
        "src/demo/_speed.c": _SPEED,
    },
    "setuptools-scm": {
        "pyproject.toml": _system(
            '"setuptools>=64", "setuptools-scm>=8"', "setuptools.build_meta", "[tool.setuptools_scm]\n", _DYNAMIC
        ),
        ".gitignore": "*.egg-info\nbuild\n",
    },
    "hatch-vcs": {
        "pyproject.toml": _system(
            '"hatchling", "hatch-vcs"', "hatchling.build", '[tool.hatch.version]\nsource = "vcs"\n', _DYNAMIC
        )
    },
}


def make_project(directory: Path, backend: str) -> Path:
    """Make the project of *backend* in *directory*, in a repository where its version comes from one."""
    files = {"src/demo/__init__.py": 'def main() -> None:\n    print("one")\n', "src/demo/data.txt": "x\n"}
    for name, text in {**files, **BACKENDS[backend]}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    if "dynamic" in (directory / "pyproject.toml").read_text() if (directory / "pyproject.toml").exists() else False:
        git(directory, "init", "-q")
        git(directory, "add", ".")
        git(directory, "commit", "-q", "-m", "one")
        git(directory, "tag", "v1.0")
    return directory


#: Of a project whose one module holds what its file VALUE says.
_VALUE_BACKEND: Final = """

    def _build(directory):
        with open("VALUE") as stream:
            files = {{{name!r} + ".py": "VALUE = %r\\n" % stream.read()}}
        return write_wheel(directory, {name!r}, "1.0", files, more={more!r})

    def build_wheel(directory, config_settings=None, metadata_directory=None):
        return _build(directory)

    def build_editable(directory, config_settings=None, metadata_directory=None):
        return _build(directory)
"""


def make_value_project(directory: Path, name: str, *, more: str = "") -> Path:
    """Make a project whose one module holds what its file ``VALUE`` says; *more* are lines of its metadata."""
    directory.mkdir()
    (directory / "pyproject.toml").write_text(IN_TREE)
    (directory / "backend.py").write_text(backend_text(_VALUE_BACKEND.format(name=name, more=more)))
    (directory / "VALUE").write_text("one")
    return directory


def git(directory: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)


class PipFailedError(Exception):
    """What a host raises where pip fails; holds pip's output."""


@dataclass
class Bench:
    """Installs into one environment, again and again from nothing.

    Args:
        root: a directory for the environment and the store.
        interpreter: for the environment.
        calls: what pip was asked for, the first word of each.
        now: seconds that the clock is ahead.
        name: of the environment's directory.
    """

    root: Path
    interpreter: Path
    settings: Mapping[str, object] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    now: float = 0.0
    name: str = "environment"

    @property
    def prefix(self) -> Path:
        return self.root / self.name

    def install(
        self, project: Path, *arguments: str, environ: Mapping[str, str] | None = None, fresh: bool = True
    ) -> Outcome:
        """Install into a fresh environment (or into that of before), from the directory *project*."""
        environment = self._open(fresh=fresh, clock=lambda: time.time() + self.now)
        request = self._request(project, arguments, environ)
        return install(environment, request, _Pip(self, request))

    def by_pip(
        self, project: Path, *arguments: str, environ: Mapping[str, str] | None = None, fresh: bool = True
    ) -> None:
        """Let real pip install into a fresh environment (or into that of before)."""
        self._open(fresh=fresh)
        request = self._request(project, arguments, environ)
        _Pip(self, request).install(arguments)

    def tree_by_pip(self, project: Path, *arguments: str) -> Tree:
        """Return what real pip makes of a fresh environment."""
        self.by_pip(project, *arguments)
        return self.tree()

    def tree(self) -> Tree:
        return snapshot(self.prefix)

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [str(self.prefix / "bin" / command[0]), *command[1:]],
            env=clean_environment(),
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def _request(self, project: Path, arguments: Sequence[str], environ: Mapping[str, str] | None) -> Request:
        clean = clean_environment()
        clean["PATH"] = f"{self.prefix}/bin:{clean['PATH']}"
        return Request(tuple(arguments), {**clean, **(environ or {})}, str(project))

    def _open(self, *, fresh: bool, clock: Callable[[], float] = time.time) -> Environment:
        settings = Settings(store=str(self.root / "store"), **self.settings)  # type: ignore[arg-type]
        environment = Environment(str(self.prefix), settings, session="test", clock=clock)
        if fresh:
            shutil.rmtree(self.prefix, ignore_errors=True)
            assert environment.create(str(self.interpreter), ())
        return environment


@dataclass
class _Pip:
    bench: Bench
    request: Request

    def ask(self, arguments: Sequence[str], *, record: str) -> bool:
        self.bench.calls.append("ask")
        return self._run(["install", *self.request.arguments, *arguments], record, fatal=True)

    def fetch(self, arguments: Sequence[str], *, record: str | None = None) -> bool:
        self.bench.calls.append("fetch")
        return self._run(arguments, record, fatal=False)

    def install(self, arguments: Sequence[str]) -> bool:
        self.bench.calls.append("install")
        return self._run(["install", *arguments], None, fatal=True)

    def _run(self, arguments: Sequence[str], record: str | None, *, fatal: bool) -> bool:
        done = subprocess.run(
            observed([str(self.bench.prefix / "bin" / "python"), "-m", "pip", *arguments], record),
            cwd=self.request.directory,
            env=dict(self.request.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0 and fatal:
            raise PipFailedError(done.stdout)
        return done.returncode == 0
