"""What people see of it: the line at the end of a run of nox, and ``linkenv stats``, both of real sessions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.maintenance.background import Tasks, perform
from nox_linkenv.store import Store
from nox_linkenv.store.journal import Session, Size, read
from tests.cli.tool import answer, linkenv, say
from tests.provision.tool import NOX, Site, put_wheel
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from pathlib import Path

_NOXFILE = """\
import nox

@nox.session(python="{TARGET}", venv_backend="linked")
def first(session):
    session.install("-r", "requirements.txt")

@nox.session(python="{TARGET}", venv_backend="linked")
def second(session):
    session.install("two")
    session.run("python", "-c", "import time; time.sleep(0.2)")
"""


@pytest.fixture
def project(here: Site) -> Site:
    (here.project / "noxfile.py").write_text(_NOXFILE.replace("{TARGET}", TARGET))
    (here.project / "requirements.txt").write_text("one\n")
    for name in ("one", "two"):
        put_wheel(here.wheels, name, **{f"{name}__py": "VALUE = 1\n" * 500})
    here.environ["PATH"] = f"{here.interpreter.parent}{os.pathsep}{here.environ['PATH']}"
    return here


def _nox(project: Site, *arguments: str, **variables: str) -> list[str]:
    """Return the lines at the end of a run."""
    environ = {**project.environ, "LINKENV_STORE": str(project.store), "LINKENV_AHEAD": "0", **variables}
    command = [*NOX, *arguments]
    done = subprocess.run(command, cwd=project.project, env=environ, capture_output=True, text=True, check=True)
    return [line for line in done.stderr.splitlines() if "linked: " in line and "made and" in line]


def _noted(project: Site) -> list[Session]:
    return [entry for entry in read(Store.open(project.store).layout) if isinstance(entry, Session)]


def test_runs_are_summed_up_and_counted(project: Site, tmp_path: Path) -> None:
    (cold,) = _nox(project)
    assert re.search(
        r"2 environments made and 2 requests answered in [\d.]+ s; .*; 2 by pip: this request is new$", cold
    )
    assert "less than" not in cold, "nothing was measured before"
    asked = [install for session in _noted(project) for install in session.installs]
    assert [install.source for install in asked] == ["asked pip"] * 2
    assert all(install.pip_seconds and 0 < install.pip_seconds <= install.seconds for install in asked)
    report = tmp_path / "report.json"
    (warm,) = _nox(project, "--report", str(report))
    assert [session["result"] for session in json.loads(report.read_text())["sessions"]] == ["success"] * 2
    assert "by pip" not in warm
    reused = [install for session in _noted(project)[2:] for install in session.installs]
    assert [install.source for install in reused] == ["reused"] * 2
    assert [install.pip_seconds for install in reused] == [install.pip_seconds for install in asked], "as measured then"
    ran = sum(install.pip_seconds or 0 for install in asked)
    saved = ran - sum(install.seconds for install in reused)
    told = re.search(r"; ([\d.]+) s less than pip ran when it was asked here \(([\d.]+) s\); (.+) linked instead", warm)
    assert told is not None, warm
    assert float(told[1]) == pytest.approx(saved, abs=0.06)
    assert float(told[2]) == pytest.approx(ran, abs=0.06)
    (project.project / "requirements.txt").write_text("one\ntwo\n")
    assert _nox(project, LINKENV_QUIET="1") == []
    assert _nox(project, "-s", "first") == [], "one session has one line already"
    _check_stats(project)


def _check_stats(project: Site) -> None:
    found = answer(project, "stats")
    assert (found["runs"], found["total"]["sessions"], found["total"]["made"]) == (4, 7, 7)
    assert (found["total"]["requests"], found["total"]["hits"], found["total"]["compared"]) == (7, 4, 4)
    assert found["answers"]["reused"]["requests"] == 4
    assert {(entry["reason"], entry["requests"]) for entry in found["reasons"]} == {
        ("this request is new", 2),
        ("requirements.txt changed", 1),
    }
    assert list(found["projects"]) == [str(project.project)]
    assert list(found["hosts"]) == ["nox"]
    assert found["total"]["linked"] > 7 * 2 * 5000
    assert found["total"]["copied"] == 0
    assert found["sizes"][-1]["bytes"] == answer(project, "du")["store_bytes"]
    noted = _noted(project)
    assert found["total"]["saved_seconds"] == pytest.approx(
        sum(
            (install.pip_seconds or 0) - install.seconds
            for one in noted
            for install in one.installs
            if not install.reason
        ),
        abs=0.01,
    )
    second = next(session for session in noted if session.name.startswith("second"))
    busy = sum(install.seconds for install in second.installs) + (second.made.seconds if second.made else 0)
    assert second.ended - second.began >= busy + 0.2 - 0.05
    said = say(project, "stats", "--since", "1h")
    assert "7 sessions in 4 runs of 1 project" in said
    assert "asked pip: requirements.txt changed" in said
    assert answer(project, "stats", "--since", "0s")["total"]["sessions"] == 0
    assert "Nothing is known" in say(project, "stats", "--since", "0s")
    assert "forgotten" in say(project, "stats", "--reset")
    assert answer(project, "stats")["total"]["sessions"] == 0
    assert "not a duration" in linkenv(project, "stats", "--since", "soon", code=2).stderr


def test_upkeep_notes_the_size_of_the_store_once_a_day(here: Site) -> None:
    store = Store.open(here.store)
    for _ in range(2):
        perform(store, Tasks(journal_days=30.0), jobs=1)
    (size,) = read(store.layout)
    assert isinstance(size, Size)
    assert size.total > 0
    assert time.time() - size.time < 60
    found = answer(here, "stats")
    assert len(found["sizes"]) == 2
