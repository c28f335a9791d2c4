"""What the environments to come need is had while the first one works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.plugins.tox.tool import Project, Run
from tests.support.capabilities import require_python
from tests.support.processes import left_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.shared import Host

#: The first environment goes on until the answer of the other interpreter stands, or for a while.
_INI: Final = """\
[tox]
env_list = py312, py313
no_package = true

[testenv]
runner = linked
deps = needy
commands = python {{tox_root}}/wait.py {{envname}}

[testenv:py313]
{more}
"""
_WAIT: Final = """\
import pathlib, sys, time

import needy, tiny

STORE = pathlib.Path({store!r}, "v2")
end = time.monotonic() + {patience}
while "py312" in sys.argv and time.monotonic() < end and len(list(STORE.glob("resolutions/*/*.json"))) < 2:
    time.sleep(0.1)
print("tiny", tiny.VERSION, "throwaway", len(list(STORE.parent.glob("throwaway/*/bin"))))
"""


def _on_path(directories: list[str]) -> dict[str, str]:
    """Return a PATH on which tox finds the interpreters: it hides what tells pyenv's shims of them."""
    return {"PATH": os.pathsep.join([*directories, os.environ["PATH"]])}


def _wait(project: Project) -> None:
    """Wait until all that goes on in the store has ended."""
    command = [str(project.host.python), "-m", "nox_linkenv", "wait"]
    subprocess.run(command, env=project.environ(), check=True, capture_output=True)


@pytest.fixture
def matrix(tmp_path: Path, newest: Host) -> Callable[..., list[str]]:
    """Return a function that runs the matrix on an empty store, and returns what was said of each request."""
    found = [str(require_python(version).parent) for version in ("3.12", "3.13")]

    def run(*args: str, more: str = "", patience: int = 60, **env: str) -> list[str]:
        project = Project.make(tmp_path / "project", newest, tmp_path / "store")
        (project.root / "wait.py").write_text(_WAIT.format(store=str(project.store), patience=patience))
        outcome = project.tox(Run(("run", "-v", *args), config=_INI.format(more=more), env={**env, **_on_path(found)}))
        assert outcome.code == 0, outcome.output
        assert outcome.output.count("tiny 1.0") == 2, outcome.output
        _wait(project)
        assert left_of(project.store) == [], "it is gone with tox"
        return re.findall(r"py31.: linked: ([a-z]+ [a-z]+)", outcome.output)

    return run


def test_the_next_request_is_answered_before_its_environment(matrix: Callable[..., list[str]]) -> None:
    assert matrix() == ["asked pip", "reused the"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "env"),
    [
        ("deps = needy\n    other", {}),  # it asks for something else
        ("", {"LINKENV_AHEAD": "no"}),
        ("linkenv_ahead = false\ndeps = other\n  needy", {}),
    ],
)
def test_nothing_is_guessed(matrix: Callable[..., list[str]], more: str, env: dict[str, str]) -> None:
    assert matrix(more=more, patience=5, **env) == ["asked pip", "asked pip"]


@pytest.mark.slow
def test_an_interpreter_that_is_missing_is_skipped_as_ever(tmp_path: Path, newest: Host) -> None:
    found = [str(require_python("3.12").parent)]
    project = Project.make(tmp_path / "project", newest, tmp_path / "store")
    config = "[tox]\nenv_list = py312, py36\nno_package = true\nskip_missing_interpreters = true\n"
    config += "[testenv]\nrunner = linked\ndeps = needy\n"
    outcome = project.tox(Run(("run",), config=config, env=_on_path(found)))
    assert outcome.code == 0, outcome.output
    assert "py36: SKIP" in outcome.output


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="nothing is begun there")
def test_a_run_that_is_ended_leaves_no_process(tmp_path: Path, newest: Host) -> None:
    found = [str(require_python(version).parent) for version in ("3.12", "3.13")]
    project = Project.make(tmp_path / "project", newest, tmp_path / "store")
    (project.root / "wait.py").write_text("raise SystemExit(1)\n")
    outcome = project.tox(Run(("run", "--fail-fast"), config=_INI.format(more=""), env=_on_path(found)))
    assert outcome.code != 0
    _wait(project)
    assert left_of(project.store) == []
