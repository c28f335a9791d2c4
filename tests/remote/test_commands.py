"""``linkenv remote``, and what is written after a run without being asked for."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

from nox_linkenv.maintenance.background import Tasks, perform
from nox_linkenv.store import Store
from tests.remote.tool import KEY, PUBLIC, entries

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.tool import Site


def _remote(
    site: Site, action: str, *arguments: str, failing: bool = False, environ: dict[str, str] | None = None
) -> dict[str, object]:
    """Run ``linkenv remote`` as a process and return what it says as JSON."""
    done = _run(site, action, "--json", *arguments, environ=environ)
    assert (done.returncode != 0) == failing, done.stdout + done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def _run(site: Site, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nox_linkenv", "remote", *arguments],
        env=_environ(site) | (environ or {}),
        cwd=site.project,
        capture_output=True,
        text=True,
        check=False,
    )


def _environ(site: Site) -> dict[str, str]:
    return site.environ | {
        "LINKENV_STORE": str(site.store),
        "LINKENV_REMOTE": site.settings.remote,
        "LINKENV_REMOTE_MODE": site.settings.remote_mode.value,
        "LINKENV_REMOTE_KEYS": " ".join(site.settings.remote_keys),
    }


def test_what_the_last_run_used_is_pushed_and_found(writer: Site, reader_of: Callable[[str], Site]) -> None:
    said = _remote(writer, "push")
    assert said["written"] == {"plans": 1, "resolutions": 1, "wheels": 1}
    again = _remote(writer, "push")
    assert again["written"] == {}
    assert again["there_before"] == 3
    assert reader_of("other").place("new").session(["one"]).calls == []


def test_check_says_what_can_be_done(filled: Site, reader: Callable[[str], Site]) -> None:
    said = _remote(filled, "check")
    assert (said["readable"], said["writable"], said["listable"]) == (True, True, True)
    assert said["own_key"] == PUBLIC
    assert said["trusted_keys"] == [PUBLIC]
    assert said["entries"] == {"plans": 1, "resolutions": 1, "wheels": 1}
    assert not (filled.root / "remote" / "v2" / "check.zst").exists()
    there = reader("other")
    del there.environ["LINKENV_REMOTE_KEY"]
    said = _remote(there, "check")
    assert (said["readable"], said["writable"]) == (True, False)
    said = _remote(there, "check", environ={"LINKENV_REMOTE": "http://127.0.0.1:9/"}, failing=True)
    assert (said["readable"], said["listable"], said["writable"]) == (False, False, False)
    said = _remote(there, "check", environ={"LINKENV_REMOTE_KEYS": ""}, failing=True)
    assert said["trusted_keys"] == []


def test_a_directory_that_is_not_there_is_said_with_what_to_do(writer: Site) -> None:
    """Whoever only reads does not make it; check does not send to itself."""
    del writer.environ["LINKENV_REMOTE_KEY"]
    file = writer.root / "file"
    file.touch()
    for url in ((writer.root / "nowhere").as_uri(), file.as_uri()):
        done = _run(writer, "check", environ={"LINKENV_REMOTE": url})
        assert done.returncode == 1
        assert f"The remote store {url} is not there: it should be a directory" in done.stderr
        assert "Mount it, or correct the setting remote" in done.stderr
        assert "linkenv remote check" not in done.stderr
    done = _run(writer, "check", environ={"LINKENV_REMOTE": f"{file.as_uri()}/below", "LINKENV_REMOTE_KEY": KEY})
    assert "cannot be made (Not a directory). Something else stands there" in done.stderr
    assert not (writer.root / "nowhere").exists()


def test_a_key_is_made_once_and_is_for_its_user_alone(writer: Site) -> None:
    del writer.environ["LINKENV_REMOTE_KEY"]
    writer.environ["XDG_CONFIG_HOME"] = str(writer.root / "config")
    made = _remote(writer, "key")
    path = writer.root / "config" / "nox-linkenv" / "remote.key"
    assert made["made"] is True
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = _remote(writer, "key")
    assert (again["made"], again["public"]) == (False, made["public"])
    assert path.read_text().strip() not in json.dumps(again)


def test_what_is_old_is_removed_there(filled: Site) -> None:
    first, *rest = entries(filled)
    os.utime(first, (0, 0))
    assert _remote(filled, "prune")["removed"] == 1
    assert entries(filled) == rest


def test_upkeep_writes_what_the_run_made(writer: Site, reader_of: Callable[[str], Site]) -> None:
    """As after each session of a machine that writes: the session's end says so, upkeep does it."""
    shutil.rmtree(writer.store / "v2" / "resolutions")
    environment = writer.place().environment()
    writer.place().create(environment)
    writer.place().install(environment, "one")
    tasks = environment.end_session(writer.environ).tasks
    assert tasks.push
    assert Tasks.loads(tasks.dumps()).push
    outer = dict(os.environ)
    os.environ.update(_environ(writer))
    try:
        perform(Store.open(writer.store), tasks, jobs=1)
    finally:
        os.environ.clear()
        os.environ.update(outer)
    assert reader_of("other").place("new").session(["one"]).calls == []


def test_a_session_that_made_nothing_has_nothing_written(writer: Site) -> None:
    environment = writer.place().environment()
    writer.place().create(environment)
    writer.place().install(environment, "one")
    assert not environment.end_session(writer.environ).tasks.push


def test_without_a_key_nothing_is_written(writer: Site) -> None:
    del writer.environ["LINKENV_REMOTE_KEY"]
    assert "private key" in json.dumps(_remote(writer, "push", failing=True))
    assert not entries(writer)
