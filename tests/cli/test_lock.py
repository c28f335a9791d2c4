"""``linkenv lock``: what is locked is what pip, uv, tox and sessions install from the file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomli
from packaging.pylock import Pylock, is_valid_pylock_path

from nox_linkenv.pylock.document import document
from nox_linkenv.pylock.sources import Source, source_of
from nox_linkenv.pylock.standing import Part
from tests.cli.tool import answer, linkenv, say
from tests.env.tool import FACTS
from tests.provision.tool import NOX, Site, served
from tests.support.interpreters import TARGET
from tests.support.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.index import Index

_NOXFILE = """\
import nox

@nox.session(python="{TARGET}", venv_backend="linked")
def tests(session):
    {install}
"""
_LOCK = "pylock.tests.toml"


@pytest.fixture
def index(here: Site) -> Iterator[Index]:
    here.environ["PATH"] = f"{here.interpreter.parent}{os.pathsep}{here.environ['PATH']}"
    with served(here) as index:
        for version in ("1.0", "2.0"):
            index.publish("one", version, "two")
        index.publish("two", "1.0")
        index.users = frozenset({"me:secret"})
        here.environ["PIP_INDEX_URL"] = index.simple.replace("://", "://me:secret@")
        yield index


def _nox(site: Site, install: str) -> str:
    (site.project / "noxfile.py").write_text(_NOXFILE.replace("{TARGET}", TARGET).replace("{install}", install))
    environ = {**site.environ, "LINKENV_STORE": str(site.store)}
    done = subprocess.run([*NOX], cwd=site.project, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def _freeze(prefix: Path) -> list[str]:
    command = [program("uv"), "pip", "freeze", "--python", str(prefix / "bin" / "python")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith(("pip=", "setuptools=", "wheel="))]


def _environment(site: Site, name: str) -> Path:
    prefix = site.root / name
    subprocess.run([program("uv"), "venv", "-q", "--python", str(site.interpreter), str(prefix)], check=True)
    return prefix


def test_what_is_locked_is_what_others_install(here: Site, index: Index) -> None:
    _nox(here, 'session.install("one<2"); session.install("one")\n    session.install("one>=2")')
    (one,) = answer(here, "lock")["locks"]
    lock = here.project / _LOCK
    assert (one["file"], one["packages"], one["state"]) == (str(lock), 2, "written")
    assert one["notes"] == ["one 1.0 was replaced by 2.0 by a later request"]
    text = lock.read_text()
    assert is_valid_pylock_path(lock)
    read = Pylock.from_dict(tomli.loads(text))
    assert [(package.name, str(package.version)) for package in read.packages] == [("one", "2.0"), ("two", "1.0")]
    assert "secret" not in text

    index.users = frozenset()
    here.environ["PIP_INDEX_URL"] = index.simple
    by_uv, by_pip = _environment(here, "by-uv"), _environment(here, "by-pip")
    sync = [program("uv"), "pip", "sync", "-q", "--python", str(by_uv), str(lock)]
    subprocess.run(sync, env=here.environ, check=True)
    pip = [sys.executable, "-m", "pip", "-q", "--python", str(by_pip), "install", "-r", str(lock)]
    subprocess.run(pip, env={**here.environ, "PIP_NO_INDEX": "1"}, check=True)
    wanted = ["one==2.0", "two==1.0"]
    assert _freeze(by_uv) == _freeze(by_pip) == wanted

    index.publish("two", "2.0")
    install = f'session.install("-r", "{_LOCK}")'
    assert "asked pip" in _nox(here, install)
    assert "linked: reused the resolution" in _nox(here, install)
    assert _freeze(Path(one["environment"])) == wanted
    assert "2 packages, unchanged" in say(here, "lock", "--check")
    assert lock.read_text() == text


def test_what_is_not_known_is_said_with_what_to_do(here: Site, index: Index) -> None:
    assert "Nothing is known of sessions in this project" in linkenv(here, "lock", code=1).stderr
    _nox(here, 'session.install("one")')
    say(here, "lock")
    lock = here.project / _LOCK
    text = lock.read_text()
    shutil.rmtree(here.base / "resolutions")
    lock.write_text("")
    found = json.loads(linkenv(here, "lock", "--json", code=1).stdout)
    assert "No answer is remembered that says where one 2.0 comes from" in found["failed"][0]["what"]
    assert "linkenv lock --ask" in found["failed"][0]["remedy"]
    assert "2 packages, differs" in say(here, "lock", "--ask", "--check", code=1)
    assert lock.read_text() == ""
    say(here, "lock", "--ask", found["failed"][0]["environment"])
    assert lock.read_text() == text
    (session,) = found["failed"]
    shutil.rmtree(session["environment"])
    error = linkenv(here, "lock", code=1).stderr
    assert "No finished environment of nox-linkenv stands there" in error
    assert "nox has --install-only" in error


def _direct(url: str, **info: Any) -> dict[str, Any]:
    return {"url": url, **info}


@pytest.mark.parametrize(
    ("direct", "expected"),
    [
        (
            _direct("file:///at/project/sub%20dir", dir_info={"editable": True}),
            {"directory": {"path": "../project/sub dir", "editable": True}},
        ),
        (
            _direct("ssh://git@host/x.git", vcs_info={"vcs": "git", "commit_id": "c0", "requested_revision": "main"}),
            {"vcs": {"type": "git", "url": "ssh://git@host/x.git", "requested-revision": "main", "commit-id": "c0"}},
        ),
        (
            _direct("https://me:no@host/x.git", subdirectory="a", vcs_info={"vcs": "git", "commit_id": "c0"}),
            {"vcs": {"type": "git", "url": "https://host/x.git", "commit-id": "c0", "subdirectory": "a"}},
        ),
        (
            _direct("https://me:no@host/x-1.zip", archive_info={"hash": "sha256=00"}),
            {"version": "1", "archive": {"url": "https://host/x-1.zip", "hashes": {"sha256": "00"}}},
        ),
        (
            _direct("file:///at/x-1.zip", archive_info={"hashes": {"sha256": "00"}}),
            {"version": "1", "archive": {"path": "../x-1.zip", "hashes": {"sha256": "00"}}},
        ),
        (
            None,
            {"version": "1", "sdist": {"name": "x-1.tar.gz", "url": "https://i/x-1.tar.gz", "hashes": {"sha256": "1"}}},
        ),
    ],
    ids=["editable", "branch", "commit", "archive", "local archive", "sdist"],
)
def test_each_form_has_its_entry(direct: dict[str, Any] | None, expected: dict[str, Any]) -> None:
    text, count = document(
        [Part("x", "1", None, direct)], lambda _: Source("https://i/x-1.tar.gz", "1"), FACTS, "/at/locks"
    )
    (package,) = tomli.loads(text)["packages"]
    assert package == {"name": "x", **expected}
    assert count == 1


@pytest.mark.parametrize(
    ("requirement", "source"),
    [
        (f"x @ https://me:no@i/x-1.whl#sha256={'0' * 64}", Source("https://i/x-1.whl", "0" * 64)),
        (f"x @ https://i/x-1.zip#subdirectory=a&sha256={'0' * 64}", Source("https://i/x-1.zip", "0" * 64)),
        ("x @ https://i/x-1.zip", None),
        ("x @ git+https://i/x@c0", None),
        ("", None),
    ],
)
def test_a_requirement_names_an_archive_only_with_its_digest(requirement: str, source: Source | None) -> None:
    assert source_of(requirement) == source


_TOX = """\
[tox]
env_list = py
no_package = true
[testenv]
runner = {runner}
base_python = python{TARGET}
{from}
"""


@pytest.mark.slow
def test_tox_installs_what_tox_has_locked(here: Site, index: Index) -> None:
    index.users = frozenset()
    here.environ["PIP_INDEX_URL"] = index.simple

    def run(runner: str, origin: str) -> list[str]:
        text = _TOX.replace("{TARGET}", TARGET).replace("{runner}", runner).replace("{from}", origin)
        (here.project / "tox.ini").write_text(text)
        environ = {**here.environ, "LINKENV_STORE": str(here.store)}
        command = [sys.executable, "-m", "tox", "run", "-r", "-x", "testenv.pass_env+=PIP_*"]
        done = subprocess.run(command, cwd=here.project, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        return _freeze(here.project / ".tox" / "py")

    wanted = run("linked", "deps = one<2")
    say(here, "lock")
    index.publish("two", "2.0")
    assert run("virtualenv", "pylock = pylock.py.toml") == run("linked", "pylock = pylock.py.toml") == wanted
    assert wanted == ["one==1.0", "two==1.0"]
