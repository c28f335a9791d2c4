"""``session.run("pip", "install", ...)`` is answered like ``session.install``, unless pip's own words are asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.plugins.nox.tool import Project, Run
from tests.support.seeds import seed
from tests.support.suites import usually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugins.nox.tool import Outcome
    from tests.support.shared import Host

pytestmark = pytest.mark.network  # the oldest nox is installed from the index

_NOXFILE = """\
import os
import nox

@nox.session(venv_backend=os.environ["BACKEND"])
def s(session):
    {lines}
    session.run("python", "-c", "import tiny")
"""
_REUSED = re.compile(r"^nox > linked: reused the resolution", re.M)


def _second(tmp_path: Path, shared_dir: Path, host: Host, lines: str) -> Outcome:
    """Return what the second run of a session with *lines* says."""
    project = Project.make(tmp_path / "project", host, _NOXFILE.format(lines=lines), seed=seed(shared_dir, host))
    outcomes = [project.nox(Run()) for _ in range(2)]
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes[-1].output
    return outcomes[-1]


@pytest.mark.parametrize(
    "words", ['"pip", "install"', '"python", "-m", "pip", "install"', '"python", "-I", "-m", "pip", "install"']
)
def test_it_is_answered(tmp_path: Path, shared_dir: Path, host: Host, words: str) -> None:
    outcome = _second(tmp_path, shared_dir, host, f'session.run({words}, "tiny")')
    assert _REUSED.search(outcome.output), outcome.output
    assert "Successfully installed tiny-2.0" in outcome.output
    assert "Collecting" not in outcome.output
    command = re.sub('[",]', "", words)
    assert f"nox > {command} tiny" in outcome.output


_LINES = [
    'assert "Successfully installed" in session.run("pip", "install", "tiny", silent=True)',
    'session.run("pip", "install", "-q", "tiny")',
    'session.run("pip", "install", "tiny", stdout=open("said.txt", "w"))',
    'session.run("pip", "--no-input", "install", "tiny")',
    'session.run("pip", "download", "tiny"); session.run("pip", "install", "tiny", silent=True)',
]


@pytest.mark.parametrize("line", usually(_LINES, _LINES[0], _LINES[2], _LINES[3]))
def test_pip_is_run_where_its_words_are_asked_for(tmp_path: Path, shared_dir: Path, host: Host, line: str) -> None:
    assert not _REUSED.search(_second(tmp_path, shared_dir, host, line).output)


def test_another_program_called_pip(tmp_path: Path, shared_dir: Path, host: Host) -> None:
    place = 'p = os.path.join(session.bin, "pip"); os.unlink(p); open(p, "w").write("#!/bin/sh\\necho mine")'
    lines = f'{place}; os.chmod(p, 0o755); session.run("pip", "install", "tiny"); session.install("tiny")'
    outcome = _second(tmp_path, shared_dir, host, lines)
    assert "\nmine\n" in outcome.output
