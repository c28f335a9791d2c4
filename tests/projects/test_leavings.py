"""What a build leaves in a project: the next one of the run finds it, that of the next fresh clone does not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.projects.fingerprint import Tree
from nox_linkenv.projects.leavings import Leavings
from tests.projects.tool import Bench, git, make_project

if TYPE_CHECKING:
    from pathlib import Path

_SOURCES = {"src": "directory", "src/a.py": "file 0 aa"}
_INFO = {"src/demo.egg-info": "directory", "src/demo.egg-info/PKG-INFO": "file 0 bb"}
_BEFORE = Tree("/p", "/p", _SOURCES, declarative=False, editable=True)


def _with(tree: Tree, entries: dict[str, str]) -> Tree:
    return replace(tree, entries={**tree.entries, **entries})


@pytest.mark.parametrize("project", ["/p", "/p/inner"])
def test_without_what_is_left(project: str) -> None:
    prefix = "" if project == "/p" else "inner/"
    before = replace(_BEFORE, project=project)
    after = _with(before, {prefix + name: entry for name, entry in _INFO.items()})
    known = Leavings()
    known.left(before, after)
    assert known.without(before) is None
    assert known.without(after) == before

    later = _with(after, {f"{prefix}build": "directory", f"{prefix}build/lib": "directory"})
    known.left(after, later)
    assert known.without(later) == before, "what an earlier build has left is taken away, too"


def test_a_module_that_a_build_generates_stays() -> None:
    known = Leavings()
    generated = _with(_BEFORE, {"src/_version.py": "file 0 cc"})
    known.left(_BEFORE, _with(generated, _INFO))
    assert known.without(_with(generated, _INFO)) == generated


@pytest.mark.parametrize(
    "entries",
    [
        {"src/a.py": "file 0 edited", **_INFO},
        {"src/a.so": "file 111 cc", **_INFO},
        {"src/b.py": "file 0 new"},
    ],
    ids=["an edit meanwhile", "a native module", "nothing that builds leave"],
)
def test_nothing_is_known_of(entries: dict[str, str]) -> None:
    known = Leavings()
    known.left(_BEFORE, _with(_BEFORE, entries))
    assert known.without(_with(_BEFORE, entries)) is None


def test_leavings_that_somebody_edits_stay() -> None:
    known = Leavings()
    known.left(_BEFORE, _with(_BEFORE, _INFO))
    assert known.without(_with(_BEFORE, {**_INFO, "src/demo.egg-info/PKG-INFO": "file 0 edited"})) is None


@pytest.mark.parametrize("backend", ["setuptools", "setuptools-scm"])
def test_the_second_build_serves_the_next_clone(tmp_path: Path, bench: Bench, backend: str) -> None:
    """An editable build leaves ``*.egg-info``, with which the other one is made; in the next clone it is not there."""
    origin, project = make_project(tmp_path / "origin", backend), tmp_path / "project"
    (origin / ".gitignore").write_text("*.egg-info\nbuild\n# another line\n")
    if backend == "setuptools":
        git(origin, "init", "-q")
    git(origin, "add", ".")
    git(origin, "commit", "-q", "-m", "ignored")
    said: list[str] = []
    for _ in range(2):
        shutil.rmtree(project, ignore_errors=True)
        git(origin, "clone", "-q", str(origin), str(project))
        bench.calls.clear()
        said = [bench.install(project, *arguments).message for arguments in (["-e", "."], ["."])]
    assert bench.calls == []
    assert all(message.startswith("reused") for message in said), said
    assert bench.run("python", "-c", "import demo; print(demo.__file__)").startswith(str(bench.prefix))
