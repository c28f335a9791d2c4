"""What counts as declarative, and what of such a project's tree counts."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.projects.declarative import declaration_of
from nox_linkenv.projects.fingerprint import fingerprint
from nox_linkenv.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SYSTEMS: Final = {
    "hatch": ('"hatchling>=1.26"', "hatchling.build"),
    "flit": ('"flit_core >=3.2,<4"', "flit_core.buildapi"),
    "pdm": ('"pdm-backend"', "pdm.backend"),
    "poetry": ('"poetry-core"', "poetry.core.masonry.api"),
    "setuptools": ('"setuptools>=64", "wheel; python_version<\'3.9\'"', "setuptools.build_meta"),
    "uv": ('"uv_build>=0.9"', "uv_build"),
}


def _text(table: str, rest: str = "", project: str = 'version = "1"', requires: str = "") -> str:
    needed, backend = _SYSTEMS[table]
    system = f'[build-system]\nrequires = [{needed}{requires}]\nbuild-backend = "{backend}"\n'
    return f'{system}[project]\nname = "demo"\n{project}\n{rest}\n'


_DYNAMIC: Final = 'dynamic = ["version"]'


@pytest.mark.parametrize("table", _SYSTEMS)
def test_plain_projects_are(table: str) -> None:
    assert declaration_of(_text(table)) is not None


@pytest.mark.parametrize(
    ("table", "rest"),
    [("hatch", '[tool.hatch.version]\npath = "x.py"'), ("pdm", '[tool.pdm.version]\nsource = "file"\npath = "x.py"')],
)
def test_a_version_read_from_a_file_is_declared(table: str, rest: str) -> None:
    assert declaration_of(_text(table, rest, _DYNAMIC)) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[build-system",
        "[project]\nname = 'demo'\n",
        _text("hatch", requires=', "hatch-vcs"'),
        _text("hatch", requires=', "hatchling @ file:///x"'),
        _text("hatch", '[tool.hatch.version]\nsource = "vcs"', _DYNAMIC),
        _text("hatch", '[tool.hatch.version]\nsource = "code"\npath = "x.py"', _DYNAMIC),
        _text("hatch", '[tool.hatch.version]\npath = "x.py"\nexpression = "f()"', _DYNAMIC),
        _text("hatch", '[tool.hatch.version]\npath = "x.py"', 'dynamic = ["version", "dependencies"]'),
        _text("hatch", "[tool.hatch.build.hooks.custom]"),
        _text("hatch", "[tool.hatch.build.targets.wheel.hooks.mypyc]"),
        _text("hatch", "[tool.hatch.metadata.hooks.custom]"),
        _text("flit", "", 'dynamic = ["version", "description"]'),
        _text("setuptools", '[tool.setuptools.dynamic]\nversion = {attr = "x.y"}', _DYNAMIC),
        _text("setuptools", '[tool.setuptools.cmdclass]\nbuild_py = "x.y"'),
        _text("setuptools", '[[tool.setuptools.ext-modules]]\nname = "x"\nsources = ["x.c"]'),
        _text("setuptools", requires=', "setuptools-scm"'),
        _text("poetry", '[tool.poetry.build]\nscript = "x.py"'),
        _text("pdm", '[tool.pdm.version]\nsource = "scm"', _DYNAMIC),
        _text("pdm", '[tool.pdm.build]\ncustom-hook = "x.py"'),
        _text("hatch").replace("[project]", 'backend-path = ["."]\n[project]'),
        _text("setuptools").replace("setuptools.build_meta", "setuptools.build_meta:__legacy__"),
        _text("flit").replace("[project]", "[tool.flit.metadata]"),
    ],
)
def test_these_are_not(text: str) -> None:
    assert declaration_of(text) is None


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "above" / "project"
    (root / "src" / "demo").mkdir(parents=True)
    (root / "pyproject.toml").write_text(_text("hatch"))
    (root / "src" / "demo" / "__init__.py").write_text("one = 1\n")
    (root / "src" / "demo" / "data.txt").write_text("one\n")
    return root


@pytest.fixture
def look(tmp_path: Path, project: Path) -> Callable[[], str]:
    """Looks as for an editable; once more with nothing remembered, which has to see the same."""

    def look() -> str:
        digest = fingerprint(Store.open(tmp_path / "store"), str(project), editable=True).digest
        count = len(list(tmp_path.iterdir()))
        again = fingerprint(Store.open(tmp_path / f"fresh{count}"), str(project), editable=True)
        assert again.digest == digest
        return digest

    return look


def test_an_editable_does_not_see_what_its_modules_hold(project: Path, look: Callable[[], str]) -> None:
    before = look()
    module = project / "src" / "demo" / "__init__.py"
    module.write_text("two = 2\n")
    assert look() == before
    (project / "src" / "demo" / "data.txt").write_text("two\n")
    assert look() != before
    (project / "src" / "demo" / "data.txt").write_text("one\n")
    assert look() == before
    (project / "src" / "demo" / "more.py").write_text("")
    assert look() != before


def test_any_other_wheel_holds_its_modules(tmp_path: Path, project: Path) -> None:
    store = Store.open(tmp_path / "store")
    before = fingerprint(store, str(project)).digest
    assert fingerprint(store, str(project), editable=True).digest != before
    (project / "src" / "demo" / "__init__.py").write_text("two = 2\n")
    assert fingerprint(store, str(project)).digest != before


@pytest.mark.parametrize(
    "rest",
    [
        '[tool.hatch.build.targets.wheel.force-include]\n"src/demo" = "other"',
        '[tool.hatch.build.targets.wheel.force-include]\n"./src/demo/__init__.py" = "other.py"',
        '[tool.hatch.build.targets.wheel.shared-data]\n"." = "share"',
        "[tool.hatch.build.hooks.custom]",
    ],
)
def test_modules_that_are_read_count(project: Path, look: Callable[[], str], rest: str) -> None:
    (project / "pyproject.toml").write_text(_text("hatch", rest, _DYNAMIC if "version" in rest else 'version = "1"'))
    before = look()
    (project / "src" / "demo" / "__init__.py").write_text("two = 2\n")
    assert look() != before


@pytest.mark.parametrize("name", ["hatch.toml", "../hatch.toml", "../../hatch.toml"])
def test_a_file_that_configures_the_backend_ends_it(project: Path, look: Callable[[], str], name: str) -> None:
    seen = {look()}
    (project / name).write_text("")
    for text in ("two = 2\n", "three = 3\n"):
        seen.add(look())
        (project / "src" / "demo" / "__init__.py").write_text(text)
    assert len({*seen, look()}) == 4


def test_what_is_ignored_counts(project: Path, look: Callable[[], str]) -> None:
    before = look()
    (project / ".gitignore").write_text("*.txt\n")
    assert look() != before


def test_the_repository_counts_where_it_is_asked(project: Path, look: Callable[[], str]) -> None:
    def commit() -> None:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "--allow-empty"]
        subprocess.run([*command, "-m", "x"], cwd=project.parent, check=True)

    subprocess.run(["git", "init", "-q"], cwd=project.parent, check=True)
    commit()
    before = look()
    commit()
    (project.parent / "other.txt").write_text("x")
    assert look() == before
    (project / "pyproject.toml").write_text(_text("poetry"))
    before = look()
    commit()
    assert look() != before
    module = project / "src" / "demo" / "__init__.py"
    before = look()
    module.write_text("two = 2\n")
    assert look() == before
