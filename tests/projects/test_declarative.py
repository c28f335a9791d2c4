"""What is taken for granted of declarative projects, with the real backends: the same wheel from every interpreter, and
the same editable wheel whatever its modules hold.
"""

from __future__ import annotations

import random
import subprocess
import zipfile
from typing import TYPE_CHECKING, Any, Final

import pytest
import tomli

from nox_linkenv.projects.declarative import declaration_of, writes_nothing
from nox_linkenv.projects.fingerprint import fingerprint
from nox_linkenv.store import Store
from tests.parity.compare import tree_differences
from tests.projects.tool import BACKENDS, Bench, make_project
from tests.support.capabilities import require_python
from tests.support.environment import clean_environment
from tests.support.interpreters import OTHER, TARGET

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.network

_DECLARATIVE: Final = ("flit", "hatchling", "pdm", "poetry", "setuptools", "uv")
#: Their builds leave nothing in the project.
_QUIET: Final = ("flit", "hatchling", "poetry", "uv")
_CALL: Final = """
import sys, pyproject_hooks
caller = pyproject_hooks.BuildBackendHookCaller(sys.argv[1], sys.argv[2])
getattr(caller, sys.argv[3])(sys.argv[4])
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_which_are(tmp_path: Path, backend: str) -> None:
    project = make_project(tmp_path / "project", backend)
    path = project / "pyproject.toml"
    assert (declaration_of(path.read_text() if path.exists() else "") is not None) == (
        # An extension is one because of its setup.py, at which only the directory is looked for.
        backend in (*_DECLARATIVE, "extension")
    )
    assert fingerprint(Store.open(tmp_path / "store"), str(project)).declarative == (backend in _DECLARATIVE)
    assert writes_nothing(path.read_text() if path.exists() else "") == (backend in _QUIET)


@pytest.mark.parametrize(
    ("backend", "editable"),
    [
        pytest.param(name, editable, marks=() if (name, editable) == ("hatchling", True) else pytest.mark.slow)
        for name in _DECLARATIVE
        for editable in (False, True)
    ],
)
def test_one_build_serves_every_interpreter(
    tmp_path: Path, root: Path, interpreters: dict[str, Path], hooks: list[str], backend: str, editable: bool
) -> None:
    versions = [version for version in (TARGET, OTHER) if version in interpreters]
    project = make_project(tmp_path / "project", backend)
    arguments = ["--no-deps", *(["-e", "."] if editable else ["."])]
    module = project / "src" / "demo" / "__init__.py"
    before = sorted(project.rglob("*"))
    for version in versions:
        Bench(root, interpreters[version]).install(project, *arguments)
    if backend in _QUIET:
        assert sorted(project.rglob("*")) == before
    for number in range(2):
        module.write_text(f'def main() -> None:\n    print("{number}")\n')
        if editable:
            (project / "src" / "demo" / f"new{number}.py").write_text("")
        hooks.clear()
        linked = {}
        for version in versions:
            bench = Bench(root, interpreters[version])
            bench.install(project, *arguments)
            assert bench.calls == []
            assert bench.run("demo") == f"{number}\n"
            linked[version] = bench.tree()
        assert len(hooks) == 1, hooks
        if number == 0:  # the second round is the same with other content, which has been looked at
            continue
        for version in versions:
            bench = Bench(root, interpreters[version])
            bench.by_pip(project, *arguments)
            assert tree_differences(bench.tree(), linked[version]) == []


_VERSION: Final = {
    "hatchling": '[tool.hatch.version]\npath = "VERSION.py"\n',
    "pdm": '[tool.pdm.version]\nsource = "file"\npath = "VERSION.py"\n',
}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["hatchling", "pdm"])
@pytest.mark.parametrize("spelled", ["src//demo/__init__.py", "src/./demo/__init__.py", "code/demo/__init__.py"])
def test_a_version_in_a_module_that_is_spelled_otherwise_counts_for_an_editable(
    tmp_path: Path, bench: Bench, backend: str, spelled: str
) -> None:
    project = make_project(tmp_path / "project", backend)
    (project / "code").symlink_to("src")
    path = project / "pyproject.toml"
    table = _VERSION[backend].replace("VERSION.py", spelled)
    path.write_text(path.read_text().replace('version = "1.0"', 'dynamic = ["version"]') + table)
    for version in ("1.0", "2.0"):
        (project / "src" / "demo" / "__init__.py").write_text(f'__version__ = "{version}"\n')
        bench.install(project, "--no-deps", "-e", ".")
        assert f'"demo", "version": "{version}"' in bench.run("python", "-m", "pip", "list", "--format=json")


@pytest.mark.parametrize("backend", ["hatchling", pytest.param("pdm", marks=pytest.mark.slow)])
@pytest.mark.parametrize("where", ["inside", "chain", pytest.param("outside", marks=pytest.mark.slow)])
def test_a_version_in_a_module_that_a_link_leads_to_counts_for_an_editable(
    tmp_path: Path, bench: Bench, backend: str, where: str
) -> None:
    project = make_project(tmp_path / "project", backend)
    path = project / "pyproject.toml"
    path.write_text(path.read_text().replace('version = "1.0"', 'dynamic = ["version"]') + _VERSION[backend])
    module = tmp_path / "v.py" if where == "outside" else project / "src" / "demo" / "__init__.py"
    if where == "chain":
        (project / "between.py").symlink_to("src/demo/__init__.py")
    leads_to = {"inside": "src/demo/__init__.py", "chain": "between.py", "outside": "../v.py"}
    (project / "VERSION.py").symlink_to(leads_to[where])
    for version in ("1.0", "2.0"):
        module.write_text(f'__version__ = "{version}"\n')
        bench.install(project, "--no-deps", "-e", ".")
        assert f'"demo", "version": "{version}"' in bench.run("python", "-m", "pip", "list", "--format=json")


@pytest.mark.slow
@pytest.mark.parametrize("backend", _DECLARATIVE)
def test_wheels_are_the_same_from_every_interpreter(
    tmp_path: Path, interpreters: dict[str, Path], backend: str
) -> None:
    """The backend's newest release for the oldest of these, so that it is the same one on all."""
    project = make_project(tmp_path / "project", backend)
    (project / "README.md").write_text("Ä\n")
    seen: dict[bool, dict[str, bytes]] = {}
    release: tuple[str, ...] = ()
    for version in ("3.10", "3.11", "3.12", "3.13"):
        if version not in interpreters:
            pytest.skip(f"no Python {version} here")
        python = _with_backend(tmp_path / version, interpreters[version], project, release)
        release = release or _releases(python)
        for editable in (False, True):
            content = _build(python, project, tmp_path / f"{version} {editable}", editable=editable)
            assert seen.setdefault(editable, content) == content


@pytest.mark.parametrize(
    "backend", [pytest.param(name, marks=() if name == "flit" else pytest.mark.slow) for name in _DECLARATIVE]
)
def test_editables_are_never_stale(tmp_path: Path, interpreters: dict[str, Path], backend: str) -> None:
    """Whatever is done to the tree: where its fingerprint is one that was seen, so is the wheel of a clean build."""
    project = make_project(tmp_path / "project", backend)
    python = _with_backend(tmp_path / "environment", require_python(TARGET), project, ())
    store = Store.open(tmp_path / "store")
    chance = random.Random(backend)
    seen: dict[str, dict[str, bytes]] = {}
    again = 0
    for number in range(16):
        digest = fingerprint(store, str(project), editable=True).digest
        content = _build(python, project, tmp_path / f"wheel{number}", editable=True)
        again += digest in seen
        assert seen.setdefault(digest, content) == content
        _change(project, chance, number)
    assert again > 0  # an edited module changed nothing


def _change(project: Path, chance: random.Random, number: int) -> None:
    """Change something in the *project*; every second time, what a module holds."""
    modules = sorted((project / "src").rglob("*.py"))
    package = project / "src" / "demo"
    what = "edit" if number % 2 else chance.choice(["add", "remove", "rename", "data", "chmod", "ignore", "license"])
    if what == "edit":
        chance.choice(modules).write_text(
            f'"""X."""\n__version__ = "{number}"\ndef main() -> None:\n    print({number})\n'
        )
    elif what == "add":
        (package / f"sub{number}").mkdir()
        (package / f"sub{number}" / "__init__.py").write_text("")
    elif what == "remove" and len(modules) > 1:
        chance.choice([path for path in modules if path.parent != package] or modules[1:]).unlink()
    elif what == "rename":
        (package / f"x{number}.py").write_text("")
        (package / f"x{number}.py").rename(package / f"y{number}.py")
    elif what == "chmod":
        chance.choice(modules).chmod(0o755)
    else:
        name = {"data": "src/demo/data.txt", "ignore": ".gitignore", "license": "LICENSE"}.get(what, "README.md")
        (project / name).write_text(f"{number}\n")


def _with_backend(directory: Path, interpreter: Path, project: Path, release: tuple[str, ...]) -> Path:
    """Return the interpreter of an environment that holds what the build of *project* requires."""
    subprocess.run([str(interpreter), "-m", "venv", str(directory)], check=True, env=clean_environment())
    python = directory / "bin" / "python"
    requires = release or _system(project)["requires"]
    command = [str(python), "-m", "pip", "install", "-q", "-U", *requires, "pyproject_hooks", "editables"]
    subprocess.run(command, check=True, env=clean_environment(), capture_output=True)
    return python


def _system(project: Path) -> dict[str, Any]:
    system: dict[str, Any] = tomli.loads((project / "pyproject.toml").read_text())["build-system"]
    return system


def _releases(python: Path) -> tuple[str, ...]:
    done = subprocess.run(
        [str(python), "-m", "pip", "freeze", "--all"],
        check=True,
        capture_output=True,
        text=True,
        env=clean_environment(),
    )
    return tuple(line for line in done.stdout.splitlines() if line and not line.startswith("pip=="))


def _build(python: Path, project: Path, directory: Path, *, editable: bool) -> dict[str, bytes]:
    """Call the backend's hook and return what the wheel holds, with its name."""
    directory.mkdir()
    hook = "build_editable" if editable else "build_wheel"
    command = [str(python), "-c", _CALL, str(project), _system(project)["build-backend"], hook, str(directory)]
    environ = clean_environment()
    environ["PATH"] = f"{python.parent}:{environ['PATH']}"
    subprocess.run(command, check=True, env=environ, capture_output=True)
    (wheel,) = directory.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        return {wheel.name: b"", **{name: archive.read(name) for name in archive.namelist()}}
