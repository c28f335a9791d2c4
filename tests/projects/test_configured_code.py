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


@dataclass(frozen=True)
class _Case:
    """A project, and its world.

    Attributes:
        files: of the project.
        one, two: make the world so that the data say the first, and the second, of what is ``said``.
    """

    files: Mapping[str, str]
    one: Callable[[Path], object] = lambda _: None
    two: Callable[[Path], object] = lambda _: None
    said: tuple[str, str] = field(default=("one", "two"))


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
    "archive in a package that lies in dist": _Case(
        {
            "pyproject.toml": f'{_SETUPTOOLS}[tool.setuptools]\npackages = ["demo"]\npackage-dir = {{demo = "dist"}}\n'
            '[tool.setuptools.package-data]\ndemo = ["*.zip"]\n'
        },
        lambda world: _archive(world, "one"),
        lambda world: _archive(world, "two"),
    ),
}
_SHOW: Final = """\
import demo, pathlib
found = list(pathlib.Path(demo.__file__).parent.glob("data.*"))
print(found[0].read_text() if found else "none")
"""


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
        return bench.run("python", "-c", _SHOW).strip()

    assert [install(which) for which in (0, 0, 1, 1, 0)] == [case.said[which] for which in (0, 0, 1, 1, 0)]


def _path(bench: Bench) -> str:
    return f"{bench.prefix}/bin:{clean_environment()['PATH']}"
