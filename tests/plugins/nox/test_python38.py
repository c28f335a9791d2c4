"""Python 3.8: served with virtualenv before 21.5; a newer one refuses, and its own words are what the user sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.plugins.nox.tool import Project, Run
from tests.support.capabilities import require_python
from tests.support.shared import ROOT, Host, make_host

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.network

_NOXFILE: Final = """\
import json, os, pathlib

import nox


@nox.session(python="3.8", venv_backend=os.environ["BACKEND"])
def s(session):
    session.install("tiny")
    version = session.run("python", "-c", "import sys, tiny; print(sys.version_info[:2])", silent=True)
    pathlib.Path("facts").mkdir(exist_ok=True)
    pathlib.Path("facts/s.json").write_text(json.dumps({"version": version.strip()}))
"""


@pytest.fixture
def noxfile() -> str:
    """The noxfile, where this machine has Python 3.8."""
    require_python("3.8")
    return _NOXFILE


@pytest.mark.slow
def test_served_with_a_virtualenv_that_serves_it(tmp_path: Path, shared_dir: Path, noxfile: str) -> None:
    host = Host("older", make_host(shared_dir, "older-virtualenv", "virtualenv<21.5", str(ROOT)).python)
    (outcome,) = Project.make(tmp_path / "project", host, noxfile).same_on_both(Run())
    assert outcome.facts == {"s": {"version": "(3, 8)"}}, outcome.output
    assert "linked: asked pip: this request is new" in outcome.output


def test_refused_as_virtualenv_refuses_it(tmp_path: Path, newest: Host, noxfile: str) -> None:
    (outcome,) = Project.make(tmp_path / "project", newest, noxfile).same_on_both(Run())
    assert outcome.code != 0
    assert "no longer ships pip/setuptools for Python 3.8" in outcome.output
