"""Real builds with every backend: as pip makes them, and no pip and no build the second time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.parity.compare import tree_differences
from tests.projects.tool import BACKENDS, Bench, make_project
from tests.support.interpreters import TARGET, usual

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.oracle import Oracle

pytestmark = pytest.mark.network

_CASES = [
    (version, backend, editable)
    for version in usual("3.9", "3.12", "3.13")
    for backend in BACKENDS
    for editable in (False, True)
]
#: The first build has written what git is not told to ignore; running a first time has written a log of it.
_SETTLING = {("setuptools-scm", False), ("setuptools-scm", True), ("meson-python", True)}


@pytest.mark.parametrize(("version", "backend", "editable"), _CASES)
def test_as_pip_makes_it(
    steady_path: Path,
    steady_bench: Callable[[str], Bench],
    oracle: Oracle,
    version: str,
    backend: str,
    editable: bool,
) -> None:
    bench = steady_bench(version)
    project = make_project(steady_path / "project", backend)
    arguments = ["-e", ".[test]"] if editable else [".[test]"]
    first = bench.install(project, *arguments)
    assert first.message.startswith("asked pip"), first.message
    assert set(bench.calls) == {"fetch"}  # pip was asked about a wheel, and did not build
    assert bench.run("demo") == "one\n"
    linked = bench.tree()
    bench.calls.clear()
    again = bench.install(project, *arguments)
    if (backend, editable) in _SETTLING:
        bench.calls.clear()
        again = bench.install(project, *arguments)
    assert again.message.startswith("reused the resolution"), again.message
    assert bench.calls == []
    assert bench.tree() == linked
    listed = json.loads(bench.run("python", "-m", "pip", "list", "--format=json"))
    assert [item.get("editable_project_location") for item in listed if item["name"] == "demo"] == [
        str(project) if editable else None
    ]
    by_pip = oracle.answer(lambda: bench.tree_by_pip(project, *arguments))
    assert tree_differences(by_pip, linked) == []


@pytest.mark.parametrize("backend", ["setuptools", "hatchling", "extension"])
def test_an_edit_is_built_and_pip_is_not_asked(
    steady_path: Path, steady_bench: Callable[[str], Bench], oracle: Oracle, backend: str
) -> None:
    bench = steady_bench(TARGET)
    project = make_project(steady_path / "project", backend)
    bench.install(project, ".")
    bench.calls.clear()
    module = project / "src" / "demo" / "__init__.py"
    module.write_text(module.read_text().replace('"one"', '"two"'))
    (project / "src" / "demo" / "more.py").write_text("")
    outcome = bench.install(project, ".")
    assert outcome.message.startswith("built project"), outcome.message
    assert bench.calls == []
    assert bench.run("demo") == "two\n"
    linked = bench.tree()
    by_pip = oracle.answer(lambda: bench.tree_by_pip(project, "."))
    assert tree_differences(by_pip, linked) == []


@pytest.mark.parametrize("variable", ["SETUPTOOLS_SCM_PRETEND_VERSION", "VCS_VERSIONING_PRETEND_VERSION"])
def test_a_version_that_a_variable_gives_is_not_that_of_before(tmp_path: Path, bench: Bench, variable: str) -> None:
    project = make_project(tmp_path / "project", "setuptools-scm")
    for environ, version in (({}, "1.0"), ({variable: "9.0"}, "9.0"), ({}, "1.0")):
        bench.install(project, ".", environ=environ)
        text = "import importlib.metadata; print(importlib.metadata.version('demo'))"
        assert bench.run("python", "-c", text).startswith(version)
