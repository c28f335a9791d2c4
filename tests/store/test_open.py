"""Opening stores: new ones, newer ones, broken ones, and what is published beside the wheels."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import pytest

from nox_linkenv.errors import StoreError, StoreFormatError, StoreUnwritableError
from nox_linkenv.store import Store
from tests.store.tool import listing


def describe(root: Path, content: bytes) -> Path:
    root.mkdir()
    path = root / "linkenv-store.json"
    path.write_bytes(content)
    return path


def test_new_store(store_dir: Path) -> None:
    store = Store.open(store_dir / "a" / "b")
    assert json.loads((store_dir / "a/b/linkenv-store.json").read_text()) == {"format": 2}
    assert (store_dir / "a/b/CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")
    assert store.layout.base == str(store_dir / "a/b/v2")
    before = listing(store_dir)
    Store.open(str(store_dir / "a" / "b"))
    assert listing(store_dir) == before


def test_relative_root(store_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(store_dir.parent)
    store = Store.open("store")
    monkeypatch.chdir("/")
    assert store.layout.root == str(store_dir)
    store.publish("x.json", "{}")
    assert store.load("x.json", dict) == {}


@pytest.mark.parametrize("found", [3, 99])
def test_newer_format(found: int, store_dir: Path) -> None:
    describe(store_dir, json.dumps({"format": found, "more": [1]}).encode())
    before = listing(store_dir)
    with pytest.raises(StoreFormatError, match=f"format {found}") as caught:
        Store.open(store_dir)
    assert caught.value.path == store_dir
    assert "Upgrade" in caught.value.remedy
    assert listing(store_dir) == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"format": null}',
        b'{"format": "x"}',
        b'{"format": true}',
        b'{"format": 0}',
        b'{"format": Infinity}',
        b"[" * 300_000,
        b"\xff\xfe",
        b"\0" * 20,
    ],
)
def test_damaged_description_is_mended(content: bytes, store_dir: Path) -> None:
    """What it says can be seen: the formats have their directories."""
    store = Store.open(store_dir)
    store.publish("x.json", "[1]")
    path = store_dir / "linkenv-store.json"
    path.write_bytes(content)
    again = Store.open(store_dir)
    assert again.load("x.json", list) == [1]
    assert json.loads(path.read_text()) == {"format": 2}
    (told,) = again.told()
    assert str(path) in told
    assert Store.open(store_dir).told() == []


def test_lost_description_is_written_again(store_dir: Path) -> None:
    Store.open(store_dir).publish("x.json", "[1]")
    path = store_dir / "linkenv-store.json"
    path.unlink()
    assert Store.open(store_dir).load("x.json", list) == [1]
    assert json.loads(path.read_text()) == {"format": 2}


@pytest.mark.parametrize("found", [b"", None])
def test_damaged_description_of_a_newer_store(found: bytes | None, store_dir: Path) -> None:
    describe(store_dir, b"")
    (store_dir / "v3").mkdir()
    if found is None:
        (store_dir / "linkenv-store.json").unlink()
    before = listing(store_dir)
    with pytest.raises(StoreFormatError, match="format 3"):
        Store.open(store_dir)
    assert listing(store_dir) == before


@pytest.mark.parametrize("kind", ["directory", "pipe", "link to a device", "link to itself", "dangling link"])
def test_description_that_is_no_file(kind: str, store_dir: Path) -> None:
    Store.open(store_dir).publish("x.json", "[1]")
    path = store_dir / "linkenv-store.json"
    path.unlink()
    if kind == "directory":
        (path / "in it").mkdir(parents=True)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"link to a device": "/dev/zero", "link to itself": path.name}.get(kind, "nowhere"))
    assert Store.open(store_dir).load("x.json", list) == [1]
    assert json.loads(path.read_text()) == {"format": 2}
    assert path.lstat().st_size < 100


def test_what_an_older_format_has_is_left_beside_and_told(store_dir: Path) -> None:
    describe(store_dir, b'{"format": 1}')
    (store_dir / "v1" / "objects").mkdir(parents=True)
    store = Store.open(store_dir)
    store.publish("x.json", "[1]")
    (told,) = store.told()
    assert f"{store_dir}/v1" in told
    assert store.told() == []
    assert json.loads((store_dir / "linkenv-store.json").read_text()) == {"format": 2}
    assert (store_dir / "v1" / "objects").is_dir()
    assert Store.open(store_dir).told() == []


def test_half_made_store_is_finished(store_dir: Path) -> None:
    """Killed before the description was written: it is written last, so the next one makes what is missing."""
    (store_dir / "v2" / "objects").mkdir(parents=True)
    Store.open(store_dir).publish("x.json", "{}")
    assert (store_dir / "linkenv-store.json").exists()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_file_in_the_way(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnwritableError, match="cannot be written") as caught:
        Store.open(tmp_path / place)
    assert "move it away" in caught.value.remedy


def test_published_note(store_dir: Path) -> None:
    store = Store.open(store_dir)
    assert store.load("plans/a.json", str) is None
    store.publish("plans/a.json", '"first"')
    assert store.load("plans/a.json", str) == "first"
    store.publish("plans/a.json", json.dumps("\u00e9\r\n\0\ud800"))
    assert store.load("plans/a.json", str) == "\u00e9\r\n\0\ud800"
    assert not list(Path(store.layout.staging).iterdir())


def test_note_that_cannot_be_read_now_is_left_and_told(store_dir: Path) -> None:
    store = Store.open(store_dir)
    store.publish("plans/ab/cd.json", json.dumps([1]))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        assert store.load("plans/ab/cd.json", list) is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    (told,) = store.told()
    assert told.endswith("v2/plans/ab/cd.json cannot be read now (Too many open files), and is left as it is.")
    assert store.load("plans/ab/cd.json", list) == [1]


def test_note_that_cannot_be_published_leaves_the_old_one(store_dir: Path) -> None:
    store = Store.open(store_dir)
    store.publish("a.json", '"first"')
    with pytest.raises(UnicodeEncodeError):
        store.publish("a.json", '"second \u00e9"')
    assert store.load("a.json", str) == "first"
    assert not list(Path(store.layout.staging).iterdir())


@pytest.mark.parametrize("place", ["/proc/none/store", f"{'n' * 250}/{'n' * 260}"])
def test_a_store_that_cannot_be_made_is_told_so(place: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnwritableError, match="cannot be made"):
        Store.open(tmp_path / place)


def test_a_store_that_cannot_be_looked_at_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be read \(File name too long\)"):
        Store.open(tmp_path / ("n" * 300))


@pytest.mark.parametrize("content", [b"[" * 300_000, b"no database at all", bytes(5000), None])
def test_a_damaged_lock_is_told(content: bytes | None, tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    Path(store.layout.lock("store")).unlink(missing_ok=True)
    if content is None:
        os.mkfifo(store.layout.lock("store"))
    else:
        Path(store.layout.lock("store")).write_bytes(content)
    for hold in (store.locked(), store.locked(exclusive=True), store.removing(within=5)):
        with pytest.raises(StoreError, match="lock of the store is damaged") as caught, hold:
            pass
        assert str(caught.value.path) == store.layout.lock("store")
    os.unlink(store.layout.lock("store"))
    with store.locked():
        pass
