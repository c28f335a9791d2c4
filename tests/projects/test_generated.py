"""Modules that a build writes into the project: there after each installation, whether it was built or not."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import pytest

from tests.projects.tool import BACKENDS, Bench, git, make_project
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

_FILE: Final = "src/demo/_version.py"
_HOOKS: Final = {
    "hatch-vcs": f'[tool.hatch.build.hooks.vcs]\nversion-file = "{_FILE}"\n',
    "setuptools-scm": f'[tool.setuptools_scm]\nversion_file = "{_FILE}"\n',
}


def _origin(place: Path, backend: str) -> Path:
    """Make a repository whose builds write the version into a module that it ignores."""
    project = make_project(place, backend)
    text = (project / "pyproject.toml").read_text().replace("[tool.setuptools_scm]\n", "")
    (project / "pyproject.toml").write_text(text + _HOOKS[backend])
    (project / ".gitignore").write_text("_version.py\n*.egg-info\nbuild\n")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "two")
    git(project, "tag", "v1.1")
    return project


def _clone(origin: Path, project: Path) -> None:
    shutil.rmtree(project, ignore_errors=True)
    git(origin, "clone", "-q", str(origin), str(project))


@pytest.mark.parametrize("arguments", [["."], ["-e", "."]], ids=["regular", "editable"])
@pytest.mark.parametrize("backend", _HOOKS)
def test_a_fresh_clone_is_built_once(tmp_path: Path, bench: Bench, backend: str, arguments: list[str]) -> None:
    assert backend in BACKENDS
    origin, project = _origin(tmp_path / "origin", backend), tmp_path / "project"
    told = []
    for install in (bench.by_pip, bench.install, bench.install):
        _clone(origin, project)
        bench.calls.clear()
        install(project, *arguments)
        path = project / _FILE
        status = path.stat()
        told.append(
            (path.read_bytes(), status.st_mode, bench.run("python", "-c", "import demo._version as v; print(v)"))
        )
    assert bench.calls == []
    assert told[0][:2] == told[1][:2] == told[2][:2]
    assert b"1.1" in told[2][0]
    assert bench.run("python", "-c", "import demo._version; print(demo._version.version)").strip() == "1.1"

    git(origin, "commit", "-q", "--allow-empty", "-m", "three")
    git(origin, "tag", "v1.2")
    told_last = ""
    for _ in range(2):
        _clone(origin, project)
        bench.calls.clear()
        told_last = bench.install(project, *arguments).message
        assert b"1.2" in (project / _FILE).read_bytes()
        assert bench.run("python", "-c", "import demo._version; print(demo._version.version)").strip() == "1.2"
    assert bench.calls == []
    assert told_last.startswith("reused the build and reused the resolution of "), "it was built again"


_BACKEND: Final = """
import pathlib, shutil, sys
def build_wheel(directory, config_settings=None, metadata_directory=None):
    {writes}
    name = "demo-1.0-py3-none-any.whl"
    shutil.copy({wheel!r}, pathlib.Path(directory, name))
    return name
"""
_WRITES: Final = {
    "in a new directory": (
        "p = pathlib.Path('made/deep'); p.mkdir(parents=True); (p / 'a.txt').write_text('a')",
        True,
    ),
    "what stood there": ("pathlib.Path('there.txt').write_text('built')", False),
    "a program": ("p = pathlib.Path('run.sh'); p.write_text('x'); p.chmod(0o755)", False),
    "no text": ("pathlib.Path('a.bin').write_bytes(b'\\xff')", False),
    "much": ("pathlib.Path('a.txt').write_text('x' * 100_000)", False),
    "when": ("import time; pathlib.Path('a.txt').write_text(str(time.time()))", False),
    "where": ("pathlib.Path('a.txt').write_text(sys.prefix)", False),
    "a link": ("pathlib.Path('a.txt').symlink_to('there.txt')", False),
    "by another program": ("import os; os.system('echo a > a.txt')", False),
    "an empty directory": ("pathlib.Path('made').mkdir()", False),
}


@pytest.mark.parametrize("case", _WRITES)
def test_only_what_would_be_written_again_is_kept(tmp_path: Path, bench: Bench, case: str) -> None:
    writes, kept = _WRITES[case]
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo.py": b""})
    project, messages = tmp_path / "project", []
    for _ in range(2):
        shutil.rmtree(project, ignore_errors=True)
        project.mkdir()
        (project / "there.txt").write_text("there")
        text = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        (project / "pyproject.toml").write_text(f'{text}[project]\nname = "demo"\nversion = "1.0"\n')
        (project / "backend.py").write_text(_BACKEND.format(writes=writes, wheel=str(wheel)))
        bench.calls.clear()
        messages.append(bench.install(project, ".").message)
    assert (bench.calls == []) is kept
    if not kept:
        unseen = "what is read while it is built cannot be watched, or changes"
        why = "the last answer was not kept, as"
        said = [unseen, f"{why} the build changes files of the project", f"{why} another build of the project may"]
        assert messages[1].startswith(tuple(f"asked pip: {reason}" for reason in said))
    if kept:
        assert (project / "made/deep/a.txt").read_text() == "a"
