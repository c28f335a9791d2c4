"""``linkenv cache-key``: what changes the key, and what does not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from tests.cli.tool import answer, linkenv
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provision.tool import Site

_NOXFILE: Final = f"""\
import nox

@nox.session(python="{TARGET}")
def tests(session):
    session.install("-r", "requirements/test.txt", "-c", "constraints.txt")
    session.run("pytest", "tests/test_it.py")
"""
_FILES: Final = {
    "noxfile.py": _NOXFILE,
    "pyproject.toml": "[project]\nname = 'demo'\nversion = '1'\n",
    "requirements/test.txt": "-r base.txt\none\n",
    "requirements/base.txt": "two\n",
    "constraints.txt": "one<2\n",
    "tests/test_it.py": "def test(): pass\n",
    "notes.txt": "nobody names me\n",
}
_TOX: Final = """\
[testenv]
deps =
    -r{toxinidir}/requirements/test.txt
    -cconstraints.txt
"""


@pytest.fixture
def project(here: Site) -> Site:
    _write(here.project)
    return here


def _write(directory: Path) -> None:
    for name, text in _FILES.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)


def _key(site: Site, *arguments: str) -> str:
    return linkenv(site, "cache-key", *arguments).stdout.strip()


def test_it_is_one_line_and_the_same_in_another_checkout(project: Site) -> None:
    key = _key(project)
    assert len(key) == 40
    assert _key(project) == key
    other = replace(project, root=project.root / "other")
    shutil.copytree(project.project, other.project)
    assert _key(other) == key
    assert answer(project, "cache-key")["key"] == key
    assert not (project.root / "store" / "v2" / "plans").exists(), "nothing is run"


@pytest.mark.parametrize("name", sorted(_FILES))
def test_what_requests_depend_on_counts(project: Site, name: str) -> None:
    before = _key(project)
    with (project.project / name).open("a") as stream:
        stream.write("# more\n")
    assert (_key(project) != before) is (name not in ("tests/test_it.py", "notes.txt"))


def test_a_tox_file_names_files_as_well(project: Site) -> None:
    (project.project / "noxfile.py").unlink()
    (project.project / "tox.ini").write_text(_TOX)
    found = answer(project, "cache-key")["files"]
    wanted = ["constraints.txt", "pyproject.toml", "requirements/base.txt", "requirements/test.txt", "tox.ini"]
    assert found == wanted
    assert answer(project, "cache-key", "-f", "tox.ini")["files"] == wanted


def test_another_interpreter_is_another_key(project: Site) -> None:
    before = _key(project)
    programs = project.root / "programs"
    programs.mkdir()
    (programs / f"python{TARGET}").write_text("#!/bin/sh\n")
    (programs / f"python{TARGET}").chmod(0o755)
    project.environ["PATH"] = f"{programs}:{project.environ['PATH']}"
    assert _key(project) != before
    assert str(programs) in answer(project, "cache-key")["interpreters"][TARGET]


def test_without_a_file_it_is_said_where_to_run(here: Site) -> None:
    done = linkenv(here, "cache-key", code=1)
    assert "There is no noxfile or tox file" in done.stderr
    assert "name the file with -f" in done.stderr
