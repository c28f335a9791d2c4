"""Directories of archives are known by what lies in them, and each content is read once."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.resolve import archive_digests
from nox_linkenv.resolve.archive_digests import ArchiveDigests, tied
from nox_linkenv.store import Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read, as they come; each look is one of a new process."""
    found: list[str] = []

    def digest_of(path: str) -> str:
        found.append(os.path.basename(path))
        with open(path) as stream:
            return f"digest of {stream.read()}"

    monkeypatch.setattr(archive_digests, "digest_of", digest_of)
    monkeypatch.setattr("time.time_ns", lambda: 1 << 62)
    return found


def _digests(store: Store, directory: Path) -> dict[str, str]:
    archive_digests._READ.clear()
    return ArchiveDigests(store).of(str(directory), {path.name: path.stat() for path in directory.iterdir()})


def test_each_content_is_read_once(tmp_path: Path, read: list[str]) -> None:
    store, wheels = Store.open(tmp_path / "store"), tmp_path / "wheels"
    wheels.mkdir()
    for name in "ab":
        (wheels / name).write_text(name)
    found = _digests(store, wheels)
    assert found == {"a": "digest of a", "b": "digest of b"}
    assert sorted(read) == ["a", "b"]
    assert _digests(store, wheels) == found
    assert len(read) == 2
    status = (wheels / "a").stat()
    (wheels / "a").write_text("c")
    os.utime(wheels / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert _digests(store, wheels) == {**found, "a": "digest of c"}
    assert read[2:] == ["a"]
    shutil.copytree(wheels, tmp_path / "copy")
    assert _digests(store, tmp_path / "copy") == {**found, "a": "digest of c"}


def test_what_was_just_changed_is_read_by_the_next_process(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(tmp_path / "store")
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "a").write_text("a")
    now = (tmp_path / "wheels" / "a").stat().st_ctime_ns + 10**9
    monkeypatch.setattr("time.time_ns", lambda: now)
    for _ in range(2):
        _digests(store, tmp_path / "wheels")
    assert read == ["a", "a"]


def test_large_ones_are_not_read(tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wheels").mkdir()
    for name, size in (("a", 5), ("b", 15), ("c", 6)):
        (tmp_path / "wheels" / name).write_text("x" * size)
    monkeypatch.setattr(archive_digests, "_EACH", 10)
    assert sorted(_digests(Store.open(tmp_path / "store"), tmp_path / "wheels")) == ["a", "c"]
    monkeypatch.setattr(archive_digests, "_ALL", 10)
    assert _digests(Store.open(tmp_path / "store"), tmp_path / "wheels") == {}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"files": {"a": [1]}}', '{"files": {"a": ["x", "y"]}}', '{"files": 7}']
)
def test_a_damaged_note_is_none(tmp_path: Path, read: list[str], text: str) -> None:
    store, wheels = Store.open(tmp_path / "store"), tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "a").write_text("a")
    found = _digests(store, wheels)
    for note in (tmp_path / "store").rglob("projects/*.json"):
        note.unlink()
        store.note(str(note.relative_to(store.layout.base)), text)
    assert _digests(store, wheels) == found
    assert read == ["a", "a"]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("demo-1.0-py3-none-any.whl", "demo-1.0-py2.py3-none-any.whl", True),
        ("demo-1.0-py3-none-any.whl", "Demo-1.0-py3-none-any.whl", True),
        ("de_mo-1.0-py3-none-any.whl", "de.mo-1.0.0-py3-none-any.whl", True),
        ("demo-1.0.0a1-py3-none-any.whl", "demo-1.0a1-py3-none-any.whl", True),
        ("demo-1.0-cp312-cp312-linux_x86_64.whl", "demo-1.0-cp312-cp312-manylinux_2_17_x86_64.linux_x86_64.whl", True),
        ("demo-1.0-1-py3-none-any.whl", "demo-1.0-01-py3-none-any.whl", True),
        ("demo-1.0-cp312-cp312-linux_x86_64.whl", "demo-1.0-cp311-cp311-linux_x86_64.whl", False),
        ("demo-1.0-py3-none-any.whl", "demo-1.1-py3-none-any.whl", False),
        ("demo-1.0-py3-none-any.whl", "demi-1.0-py3-none-any.whl", False),
        ("demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", False),
        ("demo-1.0.zip", "demo-1.0.tar.gz", True),
        ("de-mo-1.0.tgz", "de_mo-1.0.0.tar.gz", True),
        ("demo-1.0-1.tar.gz", "demo-1.0.post1.zip", True),
        ("demo-1.0a1.zip", "demo-1.0alpha1.tar.bz2", True),
        ("demo-1.0.tar.gz", "demo-1.2.tar.gz", False),
    ],
)
def test_what_only_their_order_tells_apart(first: str, second: str, expected: bool) -> None:
    assert tied([first, second, "other-1.0-py3-none-any.whl", "odd.whl"]) == ({first, second} if expected else set())
