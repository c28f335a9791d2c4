"""The setting ``cleanup`` in nox and in tox: what is left when the host has ended, and that nobody waited for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.provision.tool import put_wheel
from tests.support.suites import usually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provision.tool import Site

NOXFILE = """
import nox

@nox.session(venv_backend="linked")
def good(session):
    session.install("first")
    session.run("python", "-c", "import first.core")

@nox.session(venv_backend="linked")
def bad(session):
    session.install("first")
    session.run("python", "-c", "raise SystemExit(3)")
"""
TOX = """
[testenv]
runner = linked
skip_install = true
deps = first
pass_env = PIP_*
[testenv:good]
commands = python -c 'import first.core'
[testenv:bad]
commands = python -c 'raise SystemExit(3)'
"""
EXPECTED = [("keep", {"good", "bad"}), ("success", {"bad"}), ("always", set[str]())]


@pytest.fixture
def project(here: Site) -> Site:
    put_wheel(here.wheels, "first", first___core__py="value = 1\n")
    (here.project / "noxfile.py").write_text(NOXFILE)
    (here.project / "tox.ini").write_text(TOX)
    return here


def host(site: Site, *arguments: str, code: int, **variables: str) -> str:
    """Run a host, which has to end with the exit code *code*, and return what it says."""
    environ = {**site.environ, "LINKENV_STORE": str(site.store), **variables}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=site.project, env=environ, capture_output=True, check=False, timeout=120
    )
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == code, said
    return said


def left(directory: Path) -> set[str]:
    """Return the environments in *directory*, once upkeep has removed what was renamed."""
    deadline = time.monotonic() + 60
    while any(name.startswith(".linkenv-") for name in os.listdir(directory)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return {name for name in os.listdir(directory) if name in ("good", "bad")}


@pytest.mark.parametrize(("cleanup", "expected"), usually(EXPECTED, EXPECTED[1]))
def test_nox(project: Site, cleanup: str, expected: set[str]) -> None:
    host(project, "nox", code=1, LINKENV_CLEANUP=cleanup)
    assert left(project.project / ".nox") == expected


@pytest.mark.parametrize(("cleanup", "expected"), EXPECTED)
def test_tox(project: Site, cleanup: str, expected: set[str]) -> None:
    said = host(project, "tox", "run", "-e", "good,bad", "-x", f"testenv.linkenv_cleanup={cleanup}", code=1)
    assert "good: OK" in said
    assert "bad: FAIL code 3" in said
    assert left(project.project / ".tox") == expected


def test_what_is_to_be_reused_stays(project: Site) -> None:
    host(project, "nox", "-r", "-s", "good", code=0, LINKENV_CLEANUP="always")
    assert left(project.project / ".nox") == {"good"}


def test_tox_notest_keeps(project: Site) -> None:
    host(project, "tox", "run", "--notest", "-e", "good", code=0, LINKENV_CLEANUP="always")
    assert left(project.project / ".tox") == {"good"}
