"""Code and files that a project's configuration leads a backend to: what they read is noticed, and so are they."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

from tests.projects.tool import Bench, git
from tests.support.environment import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.slow]

_HEAD: Final = """\
[build-system]
requires = ["{requires}"]
build-backend = "{backend}"

[project]
name = "demo"
version = "1.0"

"""
_SETUPTOOLS: Final = _HEAD.format(requires="setuptools", backend="setuptools.build_meta")
_HATCHLING: Final = _HEAD.format(requires="hatchling", backend="hatchling.build")
_POETRY: Final = _HEAD.format(requires="poetry-core", backend="poetry.core.masonry.api")
_PDM: Final = _HEAD.format(requires="pdm-backend", backend="pdm.backend")
_COMMAND: Final = """\
import os
from setuptools.command.build_py import build_py
class Command(build_py):
    def run(self):
        super().run()
        with open(os.path.join(self.build_lib, "demo", "data.txt"), "w") as stream:
            stream.write(os.environ["ACME_ARCH_LIST"])
"""
_HOOK: Final = """\
import os
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
class Hook(BuildHookInterface):
    def initialize(self, version, build_data):
        with open(os.path.join(self.root, "..", "made.txt"), "w") as stream:
            stream.write(os.environ["ACME_ARCH_LIST"])
        build_data["force_include"][os.path.join(self.root, "..", "made.txt")] = "demo/data.txt"
"""
_SCRIPT: Final = """\
import os
def build(*arguments):
    with open("demo/data.txt", "w") as stream:
        stream.write(os.environ["ACME_ARCH_LIST"])
if __name__ == "__main__":
    build()
"""
_PDM_HOOK: Final = """\
import os
def pdm_build_update_files(context, files):
    path = context.ensure_build_dir() / "data.txt"
    path.write_text(os.environ["ACME_ARCH_LIST"])
    files["demo/data.txt"] = path
"""


def _ignore(world: Path, pattern: str) -> None:
    (world / "home").mkdir(exist_ok=True)
    (world / "home" / ".gitconfig").write_text("[include]\npath = more.cfg\n")
    (world / "home" / "more.cfg").write_text(f"[core]\nexcludesFile = {world}/home/ignored\n")
    (world / "home" / "ignored").write_text(pattern)
    (world / "project" / "demo" / "data.txt").write_text("one")
    if not (world / "project" / ".git").exists():
        git(world / "project", "init", "-q")


def _archive(world: Path, text: str) -> None:
    (world / "project" / "dist").mkdir(exist_ok=True)
    (world / "project" / "dist" / "__init__.py").write_text("")
    (world / "project" / "dist" / "data.zip").write_text(text)


_SHOW: Final = """\
import demo, pathlib
found = list(pathlib.Path(demo.__file__).parent.glob("data.*"))
print(found[0].read_text() if found else "none")
"""
#: The version, where no code is to be read without being run.
_VERSION: Final = 'import os\nVERSION = {"one": "1.0", "two": "2.0"}[os.environ["ACME_ARCH_LIST"]]\n'
_SHOW_VERSION: Final = "from importlib.metadata import version; print(version('demo'))"


@dataclass(frozen=True)
class _Case:
    """A project, and its world.

    Attributes:
        files: of the project.
        one, two: make the world so that the data say the first, and the second, of what is ``said``.
        show: code that prints what is said.
    """

    files: Mapping[str, str]
    one: Callable[[Path], object] = lambda _: None
    two: Callable[[Path], object] = lambda _: None
    said: tuple[str, str] = field(default=("one", "two"))
    show: str = _SHOW


def _versioned(head: str, table: str, files: Mapping[str, str]) -> _Case:
    """Return a project whose version is told by code that the *table* of its configuration names."""
    head = head.replace('version = "1.0"', 'dynamic = ["version"]')
    return _Case({"pyproject.toml": f"{head}{table}", **files}, said=("1.0", "2.0"), show=_SHOW_VERSION)


_CASES: Final = {
    "command of setuptools": _Case(
        {
            "pyproject.toml": f'{_SETUPTOOLS}[tool.setuptools]\npackages = ["demo"]\n'
            'cmdclass = {build_py = "cmds.Command"}\n',
            "cmds.py": _COMMAND,
        }
    ),
    "hook of hatchling": _Case(
        {
            "pyproject.toml": f'{_HATCHLING}[tool.hatch.build.targets.wheel.hooks.custom]\npath = "tools/hook.py"\n',
            "tools/hook.py": _HOOK,
        }
    ),
    "script of poetry-core": _Case(
        {
            "pyproject.toml": f'{_POETRY}[tool.poetry]\ninclude = [{{path = "demo/data.txt", format = "wheel"}}]\n'
            '[tool.poetry.build]\nscript = "script.py"\ngenerate-setup-file = false\n',
            "script.py": _SCRIPT,
        }
    ),
    "hook of pdm-backend": _Case({"pyproject.toml": _PDM, "pdm_build.py": _PDM_HOOK}),
    "ignored by git, for poetry-core": _Case(
        {"pyproject.toml": _POETRY},
        lambda world: _ignore(world, ""),
        lambda world: _ignore(world, "*.txt\n"),
        ("one", "none"),
    ),
    "version of hatchling, by code": _versioned(
        _HATCHLING,
        '[tool.hatch.version]\nsource = "code"\npath = "about.py"\nexpression = "VERSION"\n',
        {"about.py": _VERSION},
    ),
    "version of pdm-backend, by a getter": _versioned(
        _PDM,
        '[tool.pdm.version]\nsource = "call"\ngetter = "about:version"\n',
        {"about.py": f"{_VERSION}def version():\n    return VERSION\n"},
    ),
    "version of setuptools, by an attribute of a flat package": _versioned(
        _SETUPTOOLS, '[tool.setuptools.dynamic]\nversion = {attr = "demo.v.VERSION"}\n', {"demo/v.py": _VERSION}
    ),
    "version of setuptools, by an attribute of a package in src": _versioned(
        _SETUPTOOLS,
        '[tool.setuptools]\npackage-dir = {"" = "src"}\n'
        '[tool.setuptools.dynamic]\nversion = {attr = "demo.v.VERSION"}\n',
        {"src/demo/__init__.py": "", "src/demo/v.py": _VERSION},
    ),
    "archive in a package that lies in dist": _Case(
        {
            "pyproject.toml": f'{_SETUPTOOLS}[tool.setuptools]\npackages = ["demo"]\npackage-dir = {{demo = "dist"}}\n'
            '[tool.setuptools.package-data]\ndemo = ["*.zip"]\n'
        },
        lambda world: _archive(world, "one"),
        lambda world: _archive(world, "two"),
    ),
}


@pytest.mark.parametrize("name", _CASES)
def test_a_change_is_noticed(bench: Bench, tmp_path: Path, name: str) -> None:
    """Cold, warm, changed, and as it was before."""
    case = _CASES[name]
    project = tmp_path / "project"
    for path, text in {"demo/__init__.py": "", **case.files}.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)

    def install(which: int) -> str:
        (case.one, case.two)[which](tmp_path)
        environ = {"ACME_ARCH_LIST": ("one", "two")[which], "HOME": str(tmp_path / "home")}
        bench.install(project, ".", environ={**clean_environment(), **environ, "PATH": _path(bench)})
        return bench.run("python", "-c", case.show).strip()

    assert [install(which) for which in (0, 0, 1, 1, 0)] == [case.said[which] for which in (0, 0, 1, 1, 0)]


def _path(bench: Bench) -> str:
    return f"{bench.prefix}/bin:{clean_environment()['PATH']}"
