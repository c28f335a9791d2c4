"""One project of the survey: which of its sessions are run, how, and what the journal says of their requests."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.store.journal import Session, read
from nox_linkenv.store.layout import Layout

from .survey_projects import TOX_FILES, fetch, repository, variables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["HERE", "RUNS", "Project", "Request", "Run", "Runner", "Tried", "chosen"]

#: The runs of a session, and the variables that each has besides.  Answers are old in the last one, after a second.
RUNS: Final[tuple[Mapping[str, str], ...]] = ({}, {}, {"LINKENV_RESOLUTION_AGE": "1"})
_ROOT: Final = Path(__file__).resolve().parent.parent
#: What says that a file configures tox, where its name does not.
_TOX_TABLE: Final = re.compile(r"^\[(tool\.tox\b|tox:tox\])", re.MULTILINE)
#: Names of sessions for tests, the most welcome first, and for all else that is looked at.
_TESTS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        *(rf"(?<![\dy])(py)?{major}\.?{minor}($|[^\d.t])" for major, minor in ((3, 12), (3, 13), (3, 11), (3, 10))),
        r"test|unit|^py3?$",
    )
)
_CHECKS: Final = re.compile(r"lint|docs?\b|typ|mypy|style|flake8|ruff|check|format|pylint|build|pack|cover|commit")
#: How nox, and tox by the names of its logs, tell of a command that installs.
_NOX_LINE: Final = re.compile(r"^nox > (?:python3? (?:-I )?-m )?pip3? install\b", re.MULTILINE)
_TOX_LOG: Final = "[0-9]*-install*.log"
#: Where tox's key ``requires`` stands in each kind of its files.
_CORES: Final = ("tox.", "tox:tox.", "", "tool.tox.")
#: Begins what is said of a session that fails only where it is linked, and of one that took too long.
HERE: Final = "not with virtualenv"
_SLOW: Final = "more than"
_TELLING: Final = re.compile(r"^(ERROR|error|E|\w*Error)\b.*:? |skipped because|No module named")
_PATH: Final = re.compile(r"(?:/[\w.+@-]+){2,}")


@dataclass(frozen=True, slots=True)
class Request:
    """What the journal has of one: of which session, the answer's source, why pip had to, and its arguments."""

    session: str
    source: str
    reason: str | None
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one session: how often something was installed, as its host tells it, and the requests."""

    lines: int
    requests: tuple[Request, ...]


@dataclass(slots=True)
class Tried:
    """One session, its runs, and what became of it where they did not all come to their end."""

    name: str
    runs: list[Run] = field(default_factory=list)
    failed: str | None = None


@dataclass(slots=True)
class Project:
    """One project, with the host that was tried last."""

    name: str
    version: str
    host: str
    sessions: list[Tried] = field(default_factory=list)
    failed: str | None = None

    @property
    def counted(self) -> list[Tried]:
        """Sessions that ran each time, and requested something."""
        return [tried for tried in self.sessions if tried.failed is None and tried.runs[1].requests]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Project:
        """Return the project that was written as *data*."""
        tried = [
            Tried(
                one["name"],
                [Run(run["lines"], tuple(map(_request, run["requests"]))) for run in one["runs"]],
                one["failed"],
            )
            for one in data["sessions"]
        ]
        return cls(data["name"], data["version"], data["host"], tried, data["failed"])


def chosen(names: Sequence[str]) -> list[str]:
    """Return those of the sessions with these *names* that are run: one for tests, and another one."""
    tests = next((name for pattern in _TESTS for name in names if pattern.search(name)), None)
    found = [tests] if tests is not None else []
    found += [name for name in names if name != tests and _CHECKS.search(name)][:1]
    return found or list(names[:1])


class Runner:
    """Runs sessions; all that it writes is in *work*.

    Args:
        work: directory, kept.
        limit: seconds that one run of a session may take.
    """

    def __init__(self, work: Path, limit: float) -> None:
        self.work = work
        self.limit = limit
        self.store = work / "store"
        self.python = work / "host" / "bin" / "python"

    def prepare(self) -> None:
        """Install nox, tox and this project, as it stands, where that has not been done."""
        if not self.python.exists():
            subprocess.run([sys.executable, "-m", "venv", self.work / "host"], check=True)
            command = [str(self.python), "-m", "pip", "install", "--quiet", "-e", f"{_ROOT}[tox]"]
            subprocess.run(command, env=variables(), check=True)

    def look_at(self, name: str) -> Project:
        """Run sessions of a project, those of nox where it has a noxfile with some that request something."""
        sdist = fetch(self.work / "sdists", name)
        if sdist is None:
            return Project(name, "unknown", "none", failed="its sdist cannot be had")
        version, archive = sdist
        source, place = self.work / "sources" / name, self.work / "clones" / name
        found = Project(name, version, "none", failed="no noxfile and no tox file in its sdist")
        repository(archive, version, source, variables())
        for host in _hosts(source):
            found = Project(name, version, host)
            self._clone(source, place)
            names = self._names(host, place)
            if not names:
                found.failed = "its sessions cannot be listed here"
                continue
            found.sessions = [Tried(session) for session in chosen(names)]
            self._try(found, source, place)
            if found.counted:
                break
            found.failed = "; ".join(f"{tried.name}: {tried.failed or 'no request'}" for tried in found.sessions)
        for left in (source, place):
            shutil.rmtree(left, ignore_errors=True)
        return found

    def _try(self, project: Project, source: Path, place: Path) -> None:
        for number, more in enumerate(RUNS):
            self._clone(source, place)
            time.sleep(1 if number else 0)
            for tried in project.sessions:
                if tried.failed is None:
                    run, tried.failed = self._run(project.host, tried.name, place, more)
                    tried.runs.append(run)
        for tried in project.sessions:
            if tried.failed is not None and not tried.failed.startswith(_SLOW):
                self._clone(source, place)
                code, _ = self._output(_command(project.host, tried.name, "virtualenv"), place, {})
                tried.failed = tried.failed if code else f"{HERE}: {tried.failed}"

    def _run(self, host: str, session: str, place: Path, more: Mapping[str, str]) -> tuple[Run, str | None]:
        began, before = time.time(), _logs(place)
        code, output = self._output(_command(host, session, "linked"), place, more)
        lines = len(_NOX_LINE.findall(output)) if host == "nox" else len(_logs(place) - before)
        sessions = [entry for entry in read(Layout(str(self.store)), since=began) if isinstance(entry, Session)]
        requests = tuple(
            Request(entry.name, one.source, one.reason, one.arguments)
            for entry in sessions
            if os.path.realpath(entry.project) == str(place)
            for one in entry.installs
        )
        failed = f"{_SLOW} {self.limit:.0f} s" if code is None else _last_line(output) if code else None
        return Run(lines, requests), failed

    def _names(self, host: str, place: Path) -> list[str]:
        command = (
            ["nox", "--list", "--json"] if host == "nox" else ["tox", "list", "-q", "--no-desc", *_options("linked")]
        )
        code, output = self._output(command, place, {}, errors=False)
        if code:
            return []
        if host == "nox":
            try:
                return [str(entry["session"]) for entry in json.loads(output)]
            except (ValueError, KeyError, TypeError):
                return []
        return re.findall(r"^([\w.+-]+)$", output, re.MULTILINE)

    def _clone(self, source: Path, place: Path) -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "clone", "-q", source, place], env=variables(), check=True)

    def _output(
        self, command: Sequence[str], place: Path, more: Mapping[str, str], *, errors: bool = True
    ) -> tuple[int | None, str]:
        """Run a module of the host; return its exit code, ``None`` where it took too long, and what it said."""
        environ = {**variables(), "NOX_SCRIPT_MODE": "none", "LINKENV_STORE": str(self.store), **more}
        environ |= {"PIP_CACHE_DIR": str(self.work / "pip"), "COLUMNS": "300"}
        started = subprocess.Popen(
            [str(self.python), "-m", *command],
            cwd=place,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors else subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = started.communicate(timeout=self.limit)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            output, _ = started.communicate()
            return None, output
        return started.returncode, output


def _request(data: Mapping[str, Any]) -> Request:
    return Request(data["session"], data["source"], data["reason"], tuple(data["arguments"]))


def _logs(place: Path) -> set[tuple[Path, int]]:
    """Return the logs of installations that tox has written at *place*, and when it did."""
    return {(log, log.stat().st_mtime_ns) for log in place.glob(f".tox/*/log/{_TOX_LOG}")}


def _hosts(source: Path) -> list[str]:
    found = ["nox"] if (source / "noxfile.py").exists() else []
    for name in TOX_FILES:
        path = source / name
        if path.exists() and (name.startswith("tox") or _TOX_TABLE.search(path.read_text(encoding="utf-8"))):
            return [*found, "tox"]
    return found


def _options(runner: str) -> list[str]:
    """Return the options of tox that have environments be of this kind, and nothing be needed beside tox."""
    return ["--runner", runner, *(word for core in _CORES for word in ("-x", f"{core}requires="))]


def _command(host: str, session: str, backend: str) -> list[str]:
    if host == "nox":
        return ["nox", "--non-interactive", "--install-only", "-fb", backend, "-s", session]
    return ["tox", "run", "--notest", "--skip-missing-interpreters", "false", "-e", session, *_options(backend)]


def _last_line(output: str) -> str:
    """Return what of *output* says best why it failed."""
    lines = [line.strip() for line in re.sub(r"\x1b\[[\d;]*m", "", output).splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.search(line)]
    last = telling[0] if telling else lines[-1] if lines else "nothing was said"
    return _PATH.sub(lambda path: path[0].rpartition("/")[2], last)[:160].replace("|", "/")
