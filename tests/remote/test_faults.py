"""Whatever is wrong with the remote store, the environment is right, and the wait is bounded."""

from __future__ import annotations

import os
import resource
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.maintenance.verify import verify
from nox_linkenv.remote.bucket import SILENCE
from nox_linkenv.remote.signing import sign
from nox_linkenv.store import Store
from tests.remote.server import Fault, faulty
from tests.remote.tool import KEY, OTHER, entries, outdated, pushed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.provision.tool import Session, Site

#: Bytes that a file may have while an entry of a gibibyte is there.
_ALLOWED: Final = 100 << 20
#: Bytes of the frame that holds a signature.
_SIGNATURE: Final = 112


def _right(there: Site, *, asks: bool = True, name: str = "new") -> Session:
    """Install ``one``; make sure that it is right, and that pip was asked or not."""
    place = there.place(name)
    session = place.session(["one"], run="import one.part1; assert one.part1.VALUE == 1")
    assert bool(session.calls) == asks, session.messages
    assert verify(Store.open(there.store), full=True, now=0.0).findings == []
    return session


def _unsigned(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-_SIGNATURE])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _by_another_key(path: Path) -> None:
    _unsigned(path)
    sign(str(path), path.relative_to(path.parents[path.parts[::-1].index("v2")]).as_posix()[3:-4], bytes.fromhex(OTHER))


def _for_another_name(path: Path) -> None:
    _unsigned(path)
    sign(str(path), "resolutions/ab/cd.json", bytes.fromhex(KEY))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


@pytest.mark.parametrize("spoil", [_unsigned, _flipped, _by_another_key, _for_another_name, _cut])
def test_what_is_not_signed_by_a_trusted_key_is_a_miss(
    spoil: Callable[[Path], None], filled: Site, reader: Callable[[str], Site]
) -> None:
    for path in entries(filled):
        spoil(path)
    session = _right(reader("other"))
    told = [line for line in session.warnings if "remote store" in line]
    assert len(told) == 1, "it is told once, whatever the number of entries"
    assert "is not used, as" in told[0]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.mkdir()])
def test_what_is_no_file_in_a_directory_is_no_entry(
    make: Callable[[Path], None], filled: Site, reader: Callable[[str], Site]
) -> None:
    """Reading a pipe would wait for ever, and what a link leads to may have no end."""
    for path in entries(filled):
        path.unlink()
        make(path)
    _right(reader("other"))


def test_what_is_large_and_not_signed_does_not_come_at_all(filled: Site, reader: Callable[[str], Site]) -> None:
    for path in entries(filled):
        os.truncate(path, 1 << 30)
    there = reader("other")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_ALLOWED, before[1]))  # what is more fails as on a full disk
    try:
        session = _right(there)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (told,) = [line for line in session.warnings if "remote store" in line]
    assert "is not used, as it is not signed" in told


def test_each_entry_is_looked_at(filled: Site, reader: Callable[[str], Site]) -> None:
    """One bad entry among good ones: the bad one is made here, or what rests on it."""
    for number, path in enumerate(entries(filled)):
        whole = path.read_bytes()
        _flipped(path)
        _right(reader(f"other-{number}"), asks=True, name=f"new-{number}")
        path.write_bytes(whole)


def test_keys_that_a_machine_does_not_trust_are_none(writer: Site, reader: Callable[[str], Site]) -> None:
    shutil.rmtree(writer.root / "remote")
    pushed(writer, OTHER)
    _right(reader("other"))


def test_without_any_trusted_key_nothing_is_read(filled: Site, reader: Callable[[str], Site]) -> None:
    there = reader("other")
    there.settings = replace(there.settings, remote_keys=())
    assert any("No key is trusted" in line for line in _right(there).warnings)


def test_an_older_answer_that_is_put_back_is_not_taken_as_fresh(writer: Site, reader: Callable[[str], Site]) -> None:
    """Its age is what its writer has signed; the index says that it does not hold any more."""
    with outdated(writer) as (old, later):
        for name in ("as-it-is", "replayed"):
            there = reader(name)
            place = there.place("new")
            session = place.session(["moved"], now=later)
            assert bool(session.calls) == (name == "replayed")
            assert place.run("import moved; print(moved.VERSION)") == "2.0"
            for path, content in old.items():
                path.write_bytes(content)


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.HANG, Fault.CUT, Fault.DRIP])
def test_a_server_that_fails_is_not_asked_again(fault: Fault, filled: Site, reader: Callable[[str], Site]) -> None:
    with faulty(filled.root / "remote") as server:
        there = reader("other")
        there.settings = replace(there.settings, remote=server.url)
        server.fault = fault
        began = time.monotonic()
        session = _right(there)
        assert time.monotonic() - began < 4 * SILENCE + 15
        assert [line for line in session.warnings if "not asked any more in this run" in line]
        count = len(server.requests)
        assert count
        assert there.place("second").session(["two"]).warnings == []
        assert len(server.requests) == count
        server.fault = Fault.NONE
        again = reader("third")
        again.settings = replace(again.settings, remote=server.url)
        _right(again, asks=False, name="third")


def test_nobody_answers(filled: Site, reader: Callable[[str], Site]) -> None:
    there = reader("other")
    there.settings = replace(there.settings, remote="http://127.0.0.1:9/")
    began = time.monotonic()
    assert any("not asked any more" in line for line in _right(there).warnings)
    assert time.monotonic() - began < 3 * SILENCE + 15


def test_the_key_of_the_writer_is_trusted_by_itself(
    filled: Site, reader: Callable[[str], Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = reader("other")
    there.settings = replace(there.settings, remote_keys=())
    monkeypatch.setenv("LINKENV_REMOTE_KEY", KEY)
    _right(there, asks=False)
