"""Real nox processes: what the warm path starts and imports, several at a time, and killed ones."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.env.receipt import read_receipt
from tests.provision.tool import NOX, Site, changed_objects
from tests.provision.warm_modules import IN_DOUBT, LOCAL_FILES, NOX_END, NOX_WARM, check_modules
from tests.support.interpreters import TARGET
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

_NOXFILE: Final = """\
import atexit, json, os, sys
import nox

events = []


def write_ended():
    with open("ended.json", "w") as stream:
        json.dump(sorted(sys.modules), stream)


NAMES = ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.system", "pty.spawn",
         "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
sys.addaudithook(lambda name, args: events.append(f"{name} {args!r:.300}") if name in NAMES else None)


@nox.session(python="{TARGET}", venv_backend="linked")
@nox.parametrize("n", [1, 2])
def s(session, n):
    session.install("demo", "-r", "requirements.txt")
    with open("seen.json", "w") as stream:
        json.dump({"events": events, "modules": sorted(sys.modules)}, stream)
    atexit.register(write_ended)  # before ours, which therefore has been run by then
    session.run("python", "-c", "import demo; print('got', demo.VALUE)")


@nox.session(venv_backend="none")
def bare(session):
    with open("bare.json", "w") as stream:
        json.dump(sorted(sys.modules), stream)
"""
#: Of the standard library: heavy, or a sign that something is asked instead of remembered.
_UNWANTED: Final = frozenset({"asyncio", "concurrent", "email", "http", "multiprocessing", "sqlite3", "ssl", "zipfile"})


@pytest.fixture
def project(here: Site) -> Site:
    files = {f"demo/m{number}.py": f"n = {number}\n".encode() for number in range(40)}
    make_wheel(here.wheels, "demo", "1.0", {"demo/__init__.py": b"VALUE = 42\n", **files})
    make_wheel(here.wheels, "other", "1.0", {"other.py": b""})
    (here.project / "requirements.txt").write_text("other\n")
    (here.project / "noxfile.py").write_text(_NOXFILE.replace("{TARGET}", TARGET))
    here.environ["LINKENV_STORE"] = str(here.store)
    here.environ["PATH"] = f"{here.interpreter.parent}{os.pathsep}{here.environ['PATH']}"
    return here


def _nox(site: Site, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*NOX, *arguments], cwd=site.project, env={**site.environ, **environ}, check=False, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200,
    )  # fmt: skip


@pytest.mark.parametrize("old", ["fresh", "recycled"])
def test_the_warm_install_starts_nothing_and_connects_nowhere(project: Site, old: str) -> None:
    first = _nox(project, "-s", f"s-{TARGET}(n=1)")
    assert first.returncode == 0, first.stdout
    assert "asked pip: this request is new" in first.stdout
    seen = project.project / "seen.json"
    assert json.loads(seen.read_text())["events"], "the first time, pip is asked: the hook works"
    if old == "fresh":
        (project.project / ".nox" / "s-n-1").rename(project.root / "away")
    second = _nox(project, "-s", f"s-{TARGET}(n=1)")
    assert second.returncode == 0, second.stdout
    assert "reused the resolution of " in second.stdout
    assert "got 42" in second.stdout
    told = json.loads(seen.read_text())
    assert told["events"] == []
    assert _nox(project, "-s", "bare", LINKENV_NOX_HOOK="0").returncode == 0
    bare = set(json.loads((project.project / "bare.json").read_text()))
    more = set(told["modules"]) - bare
    check_modules(more, NOX_WARM | LOCAL_FILES, may=IN_DOUBT if old == "recycled" else frozenset())
    ended = set(json.loads((project.project / "ended.json").read_text())) - bare
    check_modules(ended - more, NOX_END)
    assert {name.partition(".")[0] for name in more} & _UNWANTED == set()


def test_offline_without_a_resolution_the_session_fails_with_one_message(project: Site) -> None:
    report = project.root / "report.json"
    done = _nox(project, "-s", f"s-{TARGET}(n=1)", "--report", str(report), LINKENV_OFFLINE="1")
    assert done.returncode == 1
    assert json.loads(report.read_text())["sessions"][0]["result"] == "failed"
    assert "Traceback" not in done.stdout
    assert done.stdout.count("no resolution of this request is remembered") == 1, done.stdout


def test_two_processes_share_a_store(project: Site) -> None:
    for _ in range(2):
        children = [
            subprocess.Popen(
                [*NOX, "-s", f"s-{TARGET}(n={number})"],
                cwd=project.project,
                env=project.environ,
                text=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            for number in (1, 2)
        ]
        for child in children:
            output, _errors = child.communicate(timeout=200)
            assert child.returncode == 0, output
            assert "got 42" in output
    assert changed_objects(project.base) == []


def test_a_killed_process_leaves_nothing_that_harms_the_next(project: Site) -> None:
    """Killed at any moment: a finished environment or an unfinished one, never a wrong one that looks finished."""
    chance = random.Random(7)
    prefix = project.project / ".nox" / "s-n-1"
    began = time.monotonic()
    assert _nox(project, "-s", f"s-{TARGET}(n=1)", "--install-only").returncode == 0
    whole = time.monotonic() - began
    expected = {path.relative_to(prefix).as_posix() for path in _installed(prefix)}
    for round_ in range(8):
        if round_ % 3 == 0:  # ask pip again
            for path in (*project.base.glob("resolutions/*/*"), *project.base.glob("plans/*/*")):
                path.unlink()
        child = subprocess.Popen(
            [*NOX, "-s", f"s-{TARGET}(n=1)"], cwd=project.project, env=project.environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        time.sleep(chance.uniform(0.15, whole if round_ % 3 == 0 else 0.7 * whole))
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        receipt = read_receipt(str(prefix))
        if receipt is not None and receipt.plans:
            assert {path.relative_to(prefix).as_posix() for path in _installed(prefix)} >= expected
        assert changed_objects(project.base) == []
    done = _nox(project, "-s", f"s-{TARGET}(n=1)")
    assert done.returncode == 0, done.stdout
    assert "got 42" in done.stdout


def _installed(prefix: Path) -> list[Path]:
    return [path for pattern in ("demo*", "other*") for path in prefix.glob(f"lib/*/site-packages/{pattern}")]
