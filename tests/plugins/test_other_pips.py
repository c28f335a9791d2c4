"""Another pip in an environment of nox or tox: from the beginning, or installed there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.plugins.nox.tool import Project as NoxProject
from tests.plugins.nox.tool import Run as NoxRun
from tests.plugins.tox.tool import Project as ToxProject
from tests.plugins.tox.tool import Run as ToxRun
from tests.plugins.tox.tool import ini
from tests.support.capabilities import require_python
from tests.support.pips import old_pips
from tests.support.shared import Host

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.slow]

_NOXFILE: Final = """\
import os

import nox

nox.options.default_venv_backend = os.environ["BACKEND"]


@nox.session(python="3.9")
def installed(session):
    session.install("pip==22.3.1")
    session.install("needy")
    session.run("python", "-c", "import tiny; print(tiny.VERSION)")
    session.run("pip", "--version")


@nox.session(python="3.9", venv_params=["--download", "--pip", "21.3.1", "--no-setuptools"])
def seeded(session):
    session.install("needy")
    session.run("python", "-c", "import tiny; print(tiny.VERSION)")
    session.run("pip", "--version")
"""


def _links(pips: Path, root: Path) -> dict[str, str]:
    return {"PIP_FIND_LINKS": f"{pips} {root / 'wheels'}"}


def test_nox(tmp_path: Path, shared_dir: Path) -> None:
    require_python("3.9")
    project = NoxProject.make(tmp_path / "project", Host.newest(), _NOXFILE)
    run = NoxRun(env=_links(old_pips(shared_dir), project.root))
    cold, warm = project.same_on_both(run, run)
    for outcome in (cold, warm):
        assert outcome.code == 0, outcome.output
        assert outcome.output.count("linked: left to pip: pip 2") == 2, outcome.output
        assert outcome.output.count("(python 3.9)") == 2
    assert "linked: reused the resolution" in warm.output


def test_tox(tmp_path: Path, shared_dir: Path, interpreters: dict[str, Path]) -> None:
    require_python("3.9")
    project = ToxProject.make(tmp_path / "project", Host.newest(), tmp_path / "store")
    config = ini(
        f"base_python = {interpreters['3.9']}\ndeps = pip==21.3.1\ncommands = python -m pip install needy", tox=""
    )
    run = ToxRun(("run", "-r"), config=config, env=_links(old_pips(shared_dir), project.root))
    cold, warm = project.same_on_both(run, run)
    assert (cold.code, warm.code) == (0, 0), warm.output
    assert "linked: left to pip: pip 21.3.1 cannot report" in project.log("install_package_deps")
