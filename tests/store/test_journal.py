"""The journal: what several processes append at once is all there, and what others make of it does no harm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from nox_linkenv.store import Store
from nox_linkenv.store.journal import Entry, Installed, Made, Session, Size, append, clear, read
from nox_linkenv.store.layout import JOURNAL

DAY: Final = 86_400.0
_MADE: Final = Made("linked", None, 0.03, 1000, 0)


def _session(name: str = "tests", *installs: Installed, ended: float = 0.0) -> Session:
    ended = ended or time.time()
    return Session("1-2", "nox", "/project", name, "/project/.nox/tests", ended - 1, ended, _MADE, installs)


def _asked(reason: str) -> Installed:
    return Installed("asked pip", reason, 1.5, 3, 1.2, 5000, 10, (reason,))


@pytest.fixture
def store(store_dir: Path) -> Store:
    return Store.open(store_dir)


def _add(store: Store, *entries: Entry, now: float | None = None, days: float = 90.0) -> None:
    append(store.layout, entries, now=time.time() if now is None else now, days=days)


def _files(store: Store) -> list[Path]:
    return sorted(Path(store.layout.directory(JOURNAL.name)).glob("*"))


def test_what_was_written_is_read(store: Store) -> None:
    now = time.time()
    entries: list[Entry] = [_session("tests", _asked("r.txt changed"), ended=now - 5), Size(now, {"objects": 12})]
    _add(store, *entries)
    assert read(store.layout) == entries
    assert read(store.layout, since=now - 1) == entries[1:]
    clear(store.layout)
    assert read(store.layout) == []


def test_nothing_is_kept_for_no_days(store: Store) -> None:
    _add(store, _session(), days=0.0)
    assert not os.path.exists(store.layout.directory(JOURNAL.name))


_WRITER: Final = """
import sys, time
from nox_linkenv.store import Store
from nox_linkenv.store.journal import Made, Session, append
layout = Store.open(sys.argv[1]).layout
for number in range(200):
    made = Made("linked", None, 0.1, number, 0)
    session = Session("r", "nox", "/p", f"{sys.argv[2]}-{number}" + "x" * (number * 7), "/e", 1.0, 2.0, made)
    append(layout, [session], now=time.time(), days=9.0)
"""


def test_several_processes_append_at_once(store: Store) -> None:
    commands = [[sys.executable, "-c", _WRITER, store.layout.root, str(number)] for number in range(4)]
    processes = [subprocess.Popen(command) for command in commands]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    (path,) = _files(store)
    assert all(json.loads(line) for line in path.read_text().splitlines())
    names = {entry.name.rstrip("x") for entry in read(store.layout) if isinstance(entry, Session)}
    assert names == {f"{writer}-{number}" for writer in range(4) for number in range(200)}


@pytest.mark.parametrize(
    "damage",
    [
        b'{"kind":"session","run":"1',
        b"\xff\xfe\n",
        b"[]\n",
        b'{"kind":"size","time":1e400,"kinds":{}}\n',
        b'{"kind":"size","time":1,"kinds":{"a":"b"}}\n',
        b"[" * 3000 + b"\n",
        b'{"kind":"of a newer version"}\n',
    ],
)
def test_a_damaged_line_is_passed_over(store: Store, damage: bytes) -> None:
    _add(store, _session("before"))
    (path,) = _files(store)
    path.write_bytes(path.read_bytes() + damage + b"\n")
    _add(store, _session("after"))
    assert [entry.name for entry in read(store.layout) if isinstance(entry, Session)] == ["before", "after"]


def test_a_session_with_very_many_requests_has_several_lines_none_of_them_long(store: Store) -> None:
    installs = [_asked(f"{number} " + "y" * 500) for number in range(60)]
    _add(store, _session("tests", *installs))
    (path,) = _files(store)
    assert max(map(len, path.read_bytes().splitlines())) < 4096
    found = [entry for entry in read(store.layout) if isinstance(entry, Session)]
    numbers = [install.reason.split()[0] for entry in found for install in entry.installs if install.reason]
    assert sorted(numbers, key=int) == [str(number) for number in range(60)]
    assert [entry.made for entry in found if entry.made is not None] == [_MADE], "it counts as one session"


def test_no_password_is_written(store: Store) -> None:
    arguments = ("--index-url=https://me:se@cret@example.org/simple", "x @ git+https://secret@example.org/x")
    reason = "https://me:secret@example.org/x says no"
    _add(store, _session("tests", Installed("left to pip", reason, 1, 0, None, 0, 0, (), arguments)))
    (path,) = _files(store)
    assert "secret" not in path.read_text()
    assert "cret" not in path.read_text()
    assert "git+https://example.org/x" in path.read_text()
    assert "https://example.org/x says no" in path.read_text()


def test_what_is_old_goes_when_a_week_begins(store: Store) -> None:
    now = time.time()
    for weeks in (20, 8, 1):
        _add(store, _session(), now=now - weeks * 7 * DAY)
        os.utime(next(path for path in _files(store) if path.stat().st_mtime > now - 60), (now - weeks * 7 * DAY,) * 2)
        assert len(_files(store)) == {20: 1, 8: 2, 1: 2}[weeks], "each has a file; the oldest is gone at the last"
    _add(store, _session(), now=now)
    assert len(_files(store)) == 3
    _add(store, _session(), now=now + 8 * 7 * DAY, days=30.0)
    assert len(_files(store)) == 1


def test_a_week_is_bounded(store: Store) -> None:
    _add(store, _session())
    (path,) = _files(store)
    path.write_bytes(b"\n" * (4 << 20))
    _add(store, _session())
    assert path.stat().st_size == 4 << 20


@pytest.mark.parametrize("obstacle", ["pipe", "link", "directory", "file for the directory", "no permission"])
def test_where_it_cannot_be_written_there_is_none(store: Store, tmp_path: Path, obstacle: str) -> None:
    _add(store, _session())
    (path,) = _files(store)
    outside = tmp_path / "outside"
    outside.write_bytes(b"")
    path.unlink()
    if obstacle == "pipe":
        os.mkfifo(path)
    elif obstacle == "link":
        path.symlink_to(outside)
    elif obstacle == "directory":
        path.mkdir()
    elif obstacle == "file for the directory":
        path.parent.rmdir()
        path.parent.write_bytes(b"")
    else:
        path.parent.rmdir()
        path.parent.symlink_to("/proc/self")
    _add(store, _session())
    assert outside.read_bytes() == b""
    assert read(store.layout) == []
