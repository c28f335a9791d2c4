"""What the next sessions of nox, the next environments of tox stand on is asked for while the first one works."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.resolve.cache import load_resolution, save_resolution
from nox_linkenv.resolve.pages import load_state, save_state
from nox_linkenv.store import Store
from tests.provision.tool import NOX, Site
from tests.support.index import Index, serving
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NOXFILE = """\
import time
import nox

def wait(session):
    if session.posargs:
        time.sleep(float(session.posargs[0]))

@nox.session(python="{TARGET}", venv_backend="linked")
def first(session):
    session.install("one")
    wait(session)

@nox.session(python="{TARGET}", venv_backend="linked")
def second(session):
    session.install("two")
"""
_DAY = 86_400.0


@pytest.fixture
def index(here: Site) -> Iterator[Index]:
    (here.root / "made").mkdir()
    (here.project / "noxfile.py").write_text(_NOXFILE.replace("{TARGET}", TARGET))
    with serving(here.root / "made") as index:
        index.publish("one", "1.0")
        index.publish("two", "1.0", "three")
        index.publish("three", "1.0")
        for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
            del here.environ[name]
        here.environ.update(LINKENV_STORE=str(here.store), PIP_INDEX_URL=index.simple, PIP_NO_CACHE_DIR="1")
        here.environ["PATH"] = f"{here.interpreter.parent}{os.pathsep}{here.environ['PATH']}"
        here.environ.pop("CI", None)
        yield index


def _age(here: Site) -> None:
    """Make all answers, and what is known of pages, a day older."""
    store = Store.open(str(here.store))
    for path in (here.base / "resolutions").rglob("*.json"):
        digest = path.parent.name + path.stem
        answer = load_resolution(store, digest)
        assert answer is not None
        save_resolution(store, digest, replace(answer, time=answer.time - _DAY))
    for path in (here.base / "pages").rglob("*.json"):
        state = load_state(store, str(path.relative_to(here.base)))
        assert state is not None
        save_state(store, state.seen(state.time - _DAY))


def _nox(here: Site, *posargs: str, **variables: str) -> str:
    command = [*NOX, "-s", "first", "second", "--", *posargs]
    environ = {**here.environ, **variables}
    done = subprocess.run(command, cwd=here.project, env=environ, capture_output=True, text=True, check=True)
    return done.stderr


_TOX: Final = """\
[tox]
envlist = first, second
no_package = true

[testenv]
runner = linked
base_python = {TARGET}
pass_env = PIP_*
allowlist_externals = sleep

[testenv:first]
deps = one
commands = sleep {{posargs:0}}

[testenv:second]
deps = two
"""


def _tox(here: Site, seconds: str = "0") -> str:
    (here.project / "tox.ini").write_text(_TOX.format(TARGET=TARGET))
    command = [sys.executable, "-m", "tox", "run", "-v", "-r", "--", seconds]
    done = subprocess.run(command, cwd=here.project, env=here.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("run", [_nox, _tox], ids=["nox", "tox"])
def test_the_second_one_need_not_ask(here: Site, index: Index, run: Callable[..., str]) -> None:
    run(here)
    _age(here)
    index.requests.clear()
    index.delay = 0.3
    told = run(here, "4")
    assert told.count("linked: renewed the resolution of") == 2, told
    assert sorted(index.pages) == ["one", "three", "two"], "each page is asked for once"


def test_what_has_changed_is_installed(here: Site, index: Index) -> None:
    _nox(here)
    _age(here)
    index.publish("three", "2.0")
    told = _nox(here, "1")
    assert "three/ has changed (2 distributions" in told, told


def test_nothing_is_asked_ahead_in_ci(here: Site, index: Index) -> None:
    _nox(here)
    _age(here)
    index.requests.clear()
    command = [*NOX, "-s", "first", "second", "--", "1"]
    (here.project / "noxfile.py").write_text(
        (here.project / "noxfile.py").read_text().replace('session.install("two")', "pass")
    )
    subprocess.run(command, cwd=here.project, env={**here.environ, "CI": "true"}, capture_output=True, check=True)
    assert sorted(index.pages) == ["one"]
    index.requests.clear()
    _age(here)
    _nox(here)
    assert sorted(index.pages) == ["one"], "what has no environment any more has no pages"
