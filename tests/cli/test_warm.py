"""``linkenv warm``: real nox, real sessions, and what they find afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.tool import answer, linkenv, start
from tests.provision.tool import NOX, Site, put_wheel
from tests.support.index import serving
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from pathlib import Path

_NOXFILE = """\
import nox

@nox.session(python="{TARGET}")
def first(session):
    session.install("one")
    session.run("python", "-c", "open('ran', 'w')")

@nox.session(python="{TARGET}", venv_backend="linked")
def second(session):
    session.install("two")

@nox.session(python="{TARGET}", default=False)
def missing(session):
    session.install("nowhere-to-be-found")

@nox.session(python="{TARGET}", default=False)
def nothing(session):
    pass
"""


@pytest.fixture
def project(here: Site) -> Site:
    (here.project / "noxfile.py").write_text(_NOXFILE.replace("{TARGET}", TARGET))
    for name in ("one", "two"):
        put_wheel(here.wheels, name, **{f"{name}__py": "VALUE = 1\n"})
    here.environ["PATH"] = f"{here.interpreter.parent}{os.pathsep}{here.environ['PATH']}"
    return here


def _places(project: Site) -> list[Path]:
    place = project.store / "throwaway"
    return list(place.iterdir()) if place.is_dir() else []


def _nox(project: Site, *names: str) -> str:
    command = [*NOX, "--default-venv-backend", "linked", "-s", *names]
    environ = {**project.environ, "LINKENV_STORE": str(project.store)}
    done = subprocess.run(command, cwd=project.project, env=environ, capture_output=True, text=True, check=True)
    return done.stderr


def test_sessions_that_never_ran_find_what_they_ask_for(project: Site) -> None:
    said = answer(project, "warm")
    assert [(entry["session"], entry["state"]) for entry in sorted(said["sessions"], key=str)] == [
        ("first", "warm"),
        ("second", "warm"),
    ]
    assert all(entry["messages"][0].startswith("asked pip: this request is new") for entry in said["sessions"])
    assert not (project.project / "ran").exists(), "nothing is run but installs"
    assert not (project.project / ".nox").exists()
    assert _places(project) == []
    assert list((project.base / "roots").glob("*.json")) == []
    told = _nox(project, "first", "second")
    assert told.count("linked: reused the resolution of") == 2, told
    assert (project.project / "ran").exists()


def test_old_answers_are_renewed(project: Site) -> None:
    (project.root / "made").mkdir()
    with serving(project.root / "made") as index:
        for name in ("one", "two"):
            index.publish(name, "1.0")
        for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
            del project.environ[name]
        project.environ.update(PIP_INDEX_URL=index.simple, PIP_NO_CACHE_DIR="1", LINKENV_RESOLUTION_AGE="0.5")
        linkenv(project, "warm")
        time.sleep(0.6)
        lines = linkenv(project, "warm", "-s", "first").stdout.splitlines()
        time.sleep(0.6)
        told = _nox(project, "first")
    assert "renewed the resolution of" in told
    assert "urllib3" not in told, "what libraries log is not nox's to show"
    assert lines[0].startswith("first: renewed the resolution of"), lines
    assert lines[1].startswith("1 session: 1 warm ("), lines


def test_one_that_fails_does_not_keep_the_others_from_being_ready(project: Site) -> None:
    done = linkenv(project, "warm", "-s", "first", "missing", "nothing", "-j", "1", code=1)
    assert "first: asked pip" in done.stdout
    assert "missing: failed" in done.stdout
    assert "nothing: nothing was linked" in done.stdout
    assert "3 sessions: 1 warm, 1 nothing linked, 1 failed" in done.stdout
    assert "No matching distribution found for nowhere-to-be-found" in done.stderr
    assert _places(project) == []


@pytest.mark.parametrize("arguments", [("-f", "other.py"), ("-s", "unknown")])
def test_what_nox_cannot_list_is_said(project: Site, arguments: tuple[str, str]) -> None:
    done = linkenv(project, "warm", *arguments, code=1)
    assert "nox cannot list the sessions" in done.stderr
    assert "Name the noxfile with -f" in done.stderr


def test_no_number_of_jobs(project: Site) -> None:
    assert "not a number of sessions" in linkenv(project, "warm", "-j", "0", code=2).stderr


def test_an_interrupt_leaves_nothing(project: Site) -> None:
    (project.root / "made").mkdir()
    with serving(project.root / "made") as index:
        index.publish("one", "1.0")
        index.publish("two", "1.0")
        index.delay = 20.0
        for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
            del project.environ[name]
        process = start(project, "warm", PIP_INDEX_URL=index.simple, PIP_NO_CACHE_DIR="1")
        deadline = time.monotonic() + 60
        while len(index.requests) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        places = _places(project)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        index.delay = 0.0
    assert process.returncode == 130, errors
    assert places
    assert _places(project) == []
    assert not _working_in(places[0])


def _working_in(place: Path) -> list[str]:
    """Return the commands of processes that name *place*."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if str(place) in line]
