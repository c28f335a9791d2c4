"""The survey of public projects: what it runs, what it counts, and what its page says."""

from __future__ import annotations

import re
import sys
import tarfile
from pathlib import Path

from benchmarks.survey_page import page
from benchmarks.survey_runs import Project, Request, Run, Runner, Tried, chosen
from tests.support.wheels import make_wheel

_PAGE = Path(__file__).parents[2] / "docs" / "benchmarks-survey.md"
_NOXFILE = """\
import nox

@nox.session
def tests(session):
    session.install("--no-index", "wheels/demo-1.0-py3-none-any.whl")
    session.run_install("pip", "install", "-q", "--no-index", "wheels/demo-1.0-py3-none-any.whl")

@nox.session
def lint(session):
    session.install("--no-index", "missing")

@nox.session
def more(session):
    session.install("--no-index", "missing")
"""
_KNOWN = {"date": "2026-01-02", "nox": "1"}


def run(*sources: str, lines: int = 0) -> Run:
    return Run(lines, tuple(Request("py312", source, None, ("six",)) for source in sources))


def test_sessions_are_those_for_tests_and_one_that_checks() -> None:
    assert chosen(["py38", "py310", "py312-x", "py3.12", "lint", "docs"]) == ["py312-x", "lint"]
    assert chosen(["clean", "typing", "tests"]) == ["tests", "typing"]
    assert chosen(["tests-3.13t", "tests-3.13"]) == ["tests-3.13"]
    assert chosen(["all", "other"]) == ["all"]


def test_each_run_is_counted_by_the_journal(tmp_path: Path) -> None:
    """A second run is warm, a third one renewed; failures are tried again.

    A quiet pip of the session's own is no request, but told.
    """
    source = tmp_path / "demo-1.0"
    (source / "wheels").mkdir(parents=True)
    make_wheel(source / "wheels", "demo")
    (source / "noxfile.py").write_text(_NOXFILE)
    (source / "PKG-INFO").write_text("generated")
    (tmp_path / "sdists" / "demo").mkdir(parents=True)
    with tarfile.open(tmp_path / "sdists" / "demo" / "1.0.tar.gz", "w:gz") as archive:
        archive.add(source, "demo-1.0")
    runner = Runner(tmp_path.resolve(), 100)
    runner.python = Path(sys.executable)
    found = runner.look_at("demo")
    assert (found.host, found.version, found.failed) == ("nox", "1.0", None)
    tests, lint = found.sessions
    assert (tests.name, lint.name, found.counted) == ("tests", "lint", [tests])
    assert [[one.source for one in one_run.requests] for one_run in tests.runs] == [
        ["asked pip"],
        ["reused"],
        ["renewed"],
    ]
    assert [one_run.lines for one_run in tests.runs] == [2, 2, 2]
    assert lint.failed is not None
    assert "missing" in lint.failed
    assert "not with virtualenv" not in lint.failed


def test_the_page_says_why_pip_ran_and_what_is_not_counted() -> None:
    warm = Tried("py312", [run("asked pip"), run("reused", "reused"), run("renewed", "renewed")])
    left = Request("docs", "left to pip", "/a/b.txt has it", ("-r", "b.txt"))
    other = Tried("docs", [run("left to pip"), Run(3, (left,)), run("left to pip")])
    broken = Tried("lint", [run()], "no such thing")
    projects = [
        Project("one", "1.0", "tox", [warm, broken]),
        Project("two", "2.0", "nox", [other]),
        Project("three", "3.0", "tox", [Tried("py", [run(), run(), run()])], "py: no request"),
    ]
    text = page(projects, 60, _KNOWN)
    assert "2 projects with 2 sessions are counted" in text
    assert "| second | 3 | 2 | 0 | 0 | 0 | 1 | 66.7% |" in text
    assert "| left to pip | * has it | 1 | 0 | two docs: `-r b.txt` |" in text
    assert "Of 2 installations more that nox and tox told of, nothing is in it: two `docs` 2." in text
    assert "| one `lint` | no such thing |" in text
    assert "| three | py: no request |" in text
    assert "| one | 1.0 | tox: py312 | 2 | 0 of 1 | 2 of 2 | 2 of 2 |" in text


def test_the_page_adds_up() -> None:
    text = _PAGE.read_text()
    projects = re.findall(
        r"^\| \S+ \| \S+ \| (?:nox|tox): .* \| (\d+) \| .* \| (\d+) of \d+ \| .* \|$", text, re.MULTILINE
    )
    second = re.search(r"^\| second \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", text, re.MULTILINE)
    assert second is not None
    assert sum(int(requests) for requests, _ in projects) == int(second[1])
    assert sum(int(warm) for _, warm in projects) == sum(map(int, second.groups()[1:]))
    assert f"{len(projects)} projects with " in text
    assert len(projects) >= 60
