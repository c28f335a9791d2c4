"""Links that a user has put into an environment: what they lead to outlives the next run, as with virtualenv."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.parity.tool import ORACLE, PEER
from tests.plugins.nox.mounts import bound
from tests.plugins.nox.tool import Project, Run
from tests.support.capabilities import Capability
from tests.support.suites import usually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.shared import Host

_NOXFILE = """\
import os
import nox

@nox.session(venv_backend=os.environ["BACKEND"])
def t(session):
    session.install("tiny")
    session.run("python", "-c", "import tiny; print('got', tiny.VERSION)")
"""


@pytest.mark.parametrize("backend", usually([ORACLE, PEER], PEER))
def test_what_a_link_leads_to_stays(tmp_path: Path, newest: Host, backend: str) -> None:
    project = Project.make(tmp_path / "project", newest, _NOXFILE)
    assert project.nox(Run(), backend).code == 0
    (packages,) = (project.envdir / "t").glob("lib/python3*/site-packages")
    outside = tmp_path / "outside"
    packages.rename(outside)
    (outside / "mine.txt").write_text("mine")
    packages.symlink_to(outside)
    before = sorted(path.relative_to(outside) for path in outside.rglob("*") if "__pycache__" not in path.parts)
    told = project.nox(Run(), backend)
    assert told.code == 0, told.output
    assert "got 2.0" in told.output
    after = sorted(path.relative_to(outside) for path in outside.rglob("*") if "__pycache__" not in path.parts)
    assert after == before


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
def test_packages_on_another_mount_are_not_moved(tmp_path: Path, newest: Host) -> None:
    """It is on the same device, so that only the move itself shows it."""
    project = Project.make(tmp_path / "project", newest, _NOXFILE)
    assert project.nox(Run(), PEER).code == 0
    (packages,) = (project.envdir / "t").glob("lib/python3*/site-packages")
    outside = tmp_path / "outside"
    shutil.copytree(packages, outside, copy_function=os.link)
    with bound(outside, packages, below=project.root):
        told = project.nox(Run(), PEER)
    assert told.code == 0, told.output
    assert "got 2.0" in told.output
