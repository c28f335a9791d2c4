"""While a project is built, pip is asked about what it declares; that answer holds if the build says the same."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from email.parser import Parser
from typing import TYPE_CHECKING, Final
from zipfile import ZipFile

import pytest

from nox_linkenv.projects.declared import Declared, read_declared
from tests.projects.tool import Bench, PipFailedError
from tests.support.backend import IN_TREE, backend_text
from tests.support.environment import clean_environment
from tests.support.wheelwriter import write_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: A backend that notes whether pip was asked before it had built, for which it waits if it is told to.
_BACKEND: Final = """

    import time

    def _build(directory):
        if os.path.exists("fails"):
            raise SystemExit("it fails")
        end = time.monotonic() + {seconds}
        while not os.path.exists({mark!r}) and time.monotonic() < end:
            time.sleep(0.01)
        with open("early", "w") as stream:
            print(os.path.exists({mark!r}), file=stream)
        return write_wheel(directory, "demo", {version!r}, {{"demo.py": ""}}, more={more!r})

    def build_wheel(directory, config_settings=None, metadata_directory=None):
        return _build(directory)

    def build_editable(directory, config_settings=None, metadata_directory=None):
        return _build(directory)
"""
_DECLARED: Final = """
    [project]
    name = "demo"
    version = "1.0"
    dependencies = ["one"]
    [project.optional-dependencies]
    more = ["two; python_version > '3'"]
"""
#: The same in other words.
_SAME: Final = (
    "Requires-Dist: one\nRequires-Dist: two; (python_version>\"3\") and extra == 'more'\nProvides-Extra: more\n"
)


class _Noticed(list[str]):
    """Calls of pip; the first one makes a file."""

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self._mark = mark

    def append(self, call: str) -> None:
        super().append(call)
        self._mark.touch()


class _Slow(list[str]):
    """Calls of pip, the first of which takes two seconds more; ``last`` is when the last one began."""

    last = 0.0

    def append(self, call: str) -> None:
        self.last = time.monotonic()
        if not self:
            time.sleep(2)
        super().append(call)


@pytest.fixture
def noticed(bench: Bench, tmp_path: Path) -> Bench:
    bench.calls = _Noticed(tmp_path / "asked")
    return bench


def _project(
    tmp_path: Path, *, declared: str = _DECLARED, version: str = "1.0", more: str = _SAME, seconds: int = 60
) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(IN_TREE + textwrap.dedent(declared))
    hooks = _BACKEND.format(mark=str(tmp_path / "asked"), version=version, more=more, seconds=seconds)
    (project / "backend.py").write_text(backend_text(hooks))
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in ("one", "two", "three"):
        write_wheel(str(wheels), name, "1.0", {f"{name}.py": ""})
    return project


def _install(bench: Bench, project: Path, what: str) -> set[str]:
    """Install *what*; return the distributions that are there then, but for pip and what came with it."""
    links = str(project.parent / "wheels")
    bench.install(project, "--no-index", "--find-links", links, *what.split())
    bench.run("python", "-m", "pip", "check")
    listed = bench.run("python", "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check").split()
    return {line.partition("=")[0] for line in listed} - {"pip", "setuptools", "wheel"}


@pytest.mark.parametrize(
    ("what", "found"), [(".", {"demo", "one"}), (".[more]", {"demo", "one", "two"}), ("-e .[more] three", None)]
)
def test_pip_is_asked_during_the_build(noticed: Bench, tmp_path: Path, what: str, found: set[str] | None) -> None:
    project = _project(tmp_path)
    assert _install(noticed, project, what) == (found or {"demo", "one", "two", "three"})
    assert (project / "early").read_text() == "True\n"
    assert noticed.calls == ["fetch"]
    noticed.install(project, "--no-index", "--find-links", str(tmp_path / "wheels"), *what.split())
    assert noticed.calls == ["fetch"]


@pytest.mark.parametrize(
    ("version", "more", "found"),
    [
        ("1.0", "Requires-Dist: three\n", {"demo", "three"}),
        ("1.0", _SAME + "Requires-Dist: three\n", {"demo", "one", "two", "three"}),
        ("2.0", _SAME, {"demo", "one", "two"}),
        ("1.0", _SAME.replace("one", "one[x"), None),
    ],
    ids=["others", "more", "another version", "not valid"],
)
def test_what_the_build_says_counts(
    noticed: Bench, tmp_path: Path, version: str, more: str, found: set[str] | None
) -> None:
    project = _project(tmp_path, version=version, more=more)
    if found is None:
        with pytest.raises(PipFailedError):
            _install(noticed, project, ".[more]")
        return
    assert _install(noticed, project, ".[more]") == found
    assert (project / "early").read_text() == "True\n"
    assert noticed.calls == ["fetch", "fetch"]


@pytest.mark.parametrize(
    "declared",
    [
        _DECLARED.replace('version = "1.0"', 'dynamic = ["version"]'),
        _DECLARED.replace('["one"]', '["one", "demo[more]"]'),
        _DECLARED.replace('["one"]', '"one"'),
        _DECLARED.replace('"1.0"', '"1.0.post_1"'),
        _DECLARED.replace('"demo"', "1"),
        _DECLARED.replace('"demo"', '"/tmp/demo"'),
        "",
    ],
)
def test_what_is_not_declared_is_asked_after_the_build(bench: Bench, tmp_path: Path, declared: str) -> None:
    project = _project(tmp_path, declared=declared, seconds=0)
    bench.calls = _Noticed(tmp_path / "asked")
    assert _install(bench, project, ".") == {"demo", "one"}
    assert (project / "early").read_text() == "False\n"
    assert bench.calls == ["fetch"]


def test_what_is_installed_is_looked_at_after_the_build(bench: Bench, tmp_path: Path) -> None:
    project = _project(tmp_path, seconds=0)
    _install(bench, project, ".")
    before = len(bench.calls)
    bench.install(project, "--no-index", "--find-links", str(tmp_path / "wheels"), "--upgrade", ".", fresh=False)
    assert bench.calls[before:] in (["ask"], [])


@pytest.mark.parametrize("taken", [True, False])
def test_the_time_of_an_answer_counts_that_is_taken(bench: Bench, tmp_path: Path, taken: bool) -> None:
    project = _project(tmp_path, more=_SAME if taken else "Requires-Dist: three\n", seconds=0)
    calls = bench.calls = _Slow()
    outcome = bench.install(project, "--no-index", "--find-links", str(tmp_path / "wheels"), ".")
    assert len(calls) == (1 if taken else 2)
    assert outcome.pip_seconds is not None
    if taken:
        assert outcome.pip_seconds >= 2
    else:
        assert outcome.pip_seconds <= time.monotonic() - calls.last


def test_pip_has_the_last_word(noticed: Bench, tmp_path: Path) -> None:
    project = _project(tmp_path)
    (tmp_path / "wheels" / "one-1.0-py3-none-any.whl").unlink()
    with pytest.raises(PipFailedError, match="No matching distribution found for one"):
        _install(noticed, project, ".")
    assert (project / "early").read_text() == "True\n"


def test_a_build_that_fails_leaves_nothing(noticed: Bench, tmp_path: Path) -> None:
    project = _project(tmp_path)
    (project / "fails").touch()
    before = _wheels(noticed)
    with pytest.raises(PipFailedError, match="it fails"):
        _install(noticed, project, ".")
    assert noticed.calls == ["fetch", "ask"]
    assert _wheels(noticed) == before


def _wheels(bench: Bench) -> set[Path]:
    return set((bench.root / "store").rglob("demo-1.0*"))


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize(
    ("requires", "backend", "more"),
    [
        ("hatchling", "hatchling.build", '[tool.hatch.build.targets.wheel]\npackages = ["demo_x"]\n'),
        ("setuptools", "setuptools.build_meta", '[tool.setuptools]\npackages = ["demo_x"]\n'),
        ("pdm-backend", "pdm.backend", ""),
    ],
)
def test_backends_say_what_is_declared(tmp_path: Path, requires: str, backend: str, more: str) -> None:
    text = f"""\
[build-system]
requires = ["{requires}"]
build-backend = "{backend}"
[project]
name = "Demo.X"
version = "1.0"
description = "x"
requires-python = ">=3.8,<4"
dependencies = ["Click>=8", "colorama>0.4 ; sys_platform=='win32' or python_version<'3.9'", "requests[socks]~=2.0"]
[project.optional-dependencies]
test_x = ["pytest", "coverage ; python_version>'3.8'", "foo; python_version<'3' or sys_platform=='win32'"]
none = []
{more}"""
    project = tmp_path / "project"
    (project / "demo_x").mkdir(parents=True)
    (project / "demo_x" / "__init__.py").touch()
    (project / "pyproject.toml").write_text(text)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(project)]
    subprocess.run(command, env=clean_environment(), check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        metadata = archive.read("demo_x-1.0.dist-info/METADATA").decode()
    declared = read_declared(str(project))
    assert declared is not None
    assert Declared.of_fields(_fields(metadata)) == declared
    with ZipFile(declared.write_wheel(str(project))) as archive:
        assert Declared.of_fields(_fields(archive.read("demo_x-1.0.dist-info/METADATA").decode())) == declared


def _fields(text: str) -> Mapping[str, list[str]]:
    message = Parser().parsestr(text, headersonly=True)
    names = ("Name", "Version", "Requires-Dist", "Provides-Extra", "Requires-Python")
    return {name: message.get_all(name, []) for name in names}
