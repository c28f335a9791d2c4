"""Projects as they are released, from their sdists: their own tests, on the linked backend and on virtualenv."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.parity.tool import run_nox
from tests.support.capabilities import require_python
from tests.support.environment import clean_environment
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.network, pytest.mark.slow]

_NOXFILE: Final = """\
import os

import nox


@nox.session(python={python!r}, venv_backend=os.environ["BACKEND"])
def tests(session):
    session.install({arguments})
    session.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", {tests})
"""
#: sdist (setuptools-scm, flit, a C extension): what is installed, which tests are run, how many there are at the least.
_PROJECTS: Final = {
    "pluggy==1.6.0": (["-e", ".", "pytest<9"], ["testing", "--ignore=testing/benchmark.py"], 100),
    "packaging==25.0": (
        [".", "pytest<9", "pretend"],
        ["tests/test_utils.py", "tests/test_requirements.py"],
        100,
    ),  # flit
    "markupsafe==3.0.2": ([".", "pytest<9"], ["tests"], 50),
}


@pytest.fixture
def apart() -> Iterator[Path]:
    """A directory that is not below the one for temporary files: backends list what is above a project.

    Others change that all the time, and a build that has read what was changing is not kept.
    """
    with tempfile.TemporaryDirectory(dir="/opt" if os.geteuid() == 0 else Path.home(), prefix="linkenv-") as made:
        yield Path(os.path.realpath(made))


@pytest.mark.parametrize("name", _PROJECTS)
def test_same_outcome(apart: Path, name: str) -> None:
    require_python(TARGET)
    project = _unpack(name, apart)
    arguments, tests, least = _PROJECTS[name]
    (project / "noxfile.py").write_text(
        _NOXFILE.format(python=TARGET, arguments=", ".join(map(repr, arguments)), tests=", ".join(map(repr, tests)))
    )
    copies = {backend: apart / backend / project.name for backend in ("linked", "virtualenv")}
    for copy in copies.values():
        shutil.copytree(project, copy)
    by_pip = _session(copies["virtualenv"], "virtualenv")
    assert by_pip[1]["passed"] >= least, by_pip[2]
    # setuptools-scm writes a module anew in the first build: what came of it is not kept, that of the second is.
    for expected in ("asked pip: this request is new", "linked: ", "reused the resolution of"):
        linked = _session(copies["linked"], "linked")
        assert linked[:2] == by_pip[:2], linked[2]
        assert expected in linked[2]


def _session(project: Path, backend: str) -> tuple[int, dict[str, int], str]:
    """Run the session; return its exit code, how many tests had which outcome, and its output."""
    done = run_nox(project, BACKEND=backend, LINKENV_STORE=str(project.parent.parent / "store"))
    summary = next((line for line in reversed(done.stdout.splitlines()) if re.search(r"\d+ passed", line)), "")
    counts = {what: int(number) for number, what in re.findall(r"(\d+) ([a-z]+)", summary.partition(" in ")[0])}
    return done.returncode, counts, done.stdout


def _unpack(name: str, directory: Path) -> Path:
    """Download the sdist and return the directory that it unpacks to."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", str(directory)]
    subprocess.run([*command, name], env=clean_environment(), check=True, capture_output=True)
    (archive,) = directory.glob("*.tar.gz")
    with tarfile.open(archive) as stream:
        stream.extractall(directory / "source", filter="data")
    (project,) = (directory / "source").iterdir()
    return project
