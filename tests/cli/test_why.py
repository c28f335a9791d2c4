"""``linkenv why``: of real sessions, the very input that differed, and what to do; no remedy is for nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import nox_linkenv.cli
from nox_linkenv.cli.remedies import remedies, remedy_of
from tests.cli.tool import answer, linkenv, say
from tests.provision.tool import NOX, Site, put_wheel
from tests.support.interpreters import TARGET

_NOXFILE = """\
import nox

@nox.session(python="{TARGET}", venv_backend="linked")
def tests(session):
    session.install("one")
    session.install("-r", "requirements.txt")
"""


@pytest.fixture
def project(here: Site) -> Site:
    (here.project / "noxfile.py").write_text(_NOXFILE.replace("{TARGET}", TARGET))
    (here.project / "requirements.txt").write_text("two\n")
    for name in ("one", "two", "three"):
        put_wheel(here.wheels, name, **{f"{name}__py": "VALUE = 1\n"})
    here.environ["PATH"] = f"{here.interpreter.parent}{os.pathsep}{here.environ['PATH']}"
    return here


def _nox(project: Site, **variables: str) -> None:
    environ = {**project.environ, "LINKENV_STORE": str(project.store), **variables}
    subprocess.run([*NOX], cwd=project.project, env=environ, capture_output=True, check=True)


def _only(found: Any) -> dict[str, Any]:
    (session,) = found["sessions"]
    assert isinstance(session, dict)
    return session


def test_the_input_that_differed_is_named_with_what_to_do(project: Site) -> None:
    assert "Nothing is known of sessions in this project" in linkenv(project, "why", code=1).stderr
    _nox(project)
    first = _only(answer(project, "why"))
    assert (first["warm"], first["last_warm"]) == (False, None)
    assert [request["reason"] for request in first["requests"]] == ["this request is new"] * 2
    _nox(project)
    warm = _only(answer(project, "why", "tests"))
    assert (warm["warm"], warm["origin_remedy"]) == (True, None)
    assert [request["answer"] for request in warm["requests"]] == ["reused"] * 2
    (project.project / "requirements.txt").write_text("two\nthree\n")
    _nox(project, PIP_PREFER_BINARY="1")
    cold = _only(answer(project, "why", str(project.project / ".nox" / "tests")))
    assert cold["warm"] is False
    assert cold["last_warm"] == warm["ended"]
    assert [request["changed"] for request in cold["requests"]] == [
        ["PIP_PREFER_BINARY appeared"],
        ["requirements.txt changed", "PIP_PREFER_BINARY appeared"],
    ]
    said = say(project, "why")
    assert "not warm" in said
    assert "request 2: asked pip" in said
    assert "differs: requirements.txt changed (written" in said
    assert "what to do: Set PIP_PREFER_BINARY the same each time, or nowhere" in said
    assert "the last warm session in this environment: " in said
    noxfile = project.project / "noxfile.py"
    for old, new, told in (
        ('"one")', '"one<2", "--pre")', "differs: the request has 'one<2' --pre, it had one"),
        ('"--pre")', '"--pre", "three")', "differs: the request has three more"),
        ('"one<2", "--pre"', '"--pre", "one<2"', "differs: the request's arguments stand in another order"),
        ('"three")', ")", "differs: the request has three no more"),
    ):
        noxfile.write_text(noxfile.read_text().replace(old, new))
        _nox(project)
        assert told in say(project, "why")
    error = linkenv(project, "why", "test", code=1).stderr
    assert "'test'; tests may be meant" in error


def test_no_remedy_is_for_a_reason_that_nobody_gives() -> None:
    package = Path(nox_linkenv.cli.__file__).parents[1]
    sources = [path.read_text() for path in package.rglob("*.py") if path.name != "remedies.py"]
    for pattern in remedies():
        for reason in pattern.split("|"):
            assert any(reason in source for source in sources), reason
            assert remedy_of(f"it is so, as {reason} here") == remedies()[pattern]


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("requirements.txt changed", "the next session that asks the same is warm"),
        ("arguments changed", "Each list of arguments"),
        ("pip's version changed", "fixed version of pip"),
        ("what is installed changed", "in one request"),
        ("interpreter changed", "The interpreter was upgraded"),
        ("PIP_INDEX_URL is gone", "Set PIP_INDEX_URL the same each time"),
        ("${TOKEN} appeared", "Set TOKEN the same each time"),
        ("demo comes from a branch or tag, which is looked up each time", "Name a commit in full"),
        ("demo comes from a directory, which is looked up each time", "Name the project in the request itself"),
        ("something that is not foreseen", "Only pip itself can answer this"),
    ],
)
def test_remedies(reason: str, says: str) -> None:
    assert says in remedy_of(reason)
