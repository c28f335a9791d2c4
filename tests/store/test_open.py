"""Opening stores: new ones, newer ones, broken ones, and what is published beside the wheels."""

from __future__ import annotations

import json
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
    assert json.loads((store_dir / "a/b/linkenv-store.json").read_text()) == {"format": 1}
    assert (store_dir / "a/b/CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")
    assert store.layout.base == str(store_dir / "a/b/v1")
    before = listing(store_dir)
    Store.open(str(store_dir / "a" / "b"))
    assert listing(store_dir) == before


def test_relative_root(store_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(store_dir.parent)
    store = Store.open("store")
    monkeypatch.chdir("/")
    assert store.layout.root == str(store_dir)
    store.publish("x.json", "{}")
    assert store.read("x.json") == "{}"


@pytest.mark.parametrize("found", [2, 99])
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
        b'{"format": Infinity}',
        b"\xff\xfe",
        b"\0" * 20,
    ],
)
def test_unreadable_description(content: bytes, store_dir: Path) -> None:
    path = describe(store_dir, content)
    with pytest.raises(StoreError, match="cannot be read") as caught:
        Store.open(store_dir)
    assert caught.value.path == path
    assert path.read_bytes() == content


def test_description_that_is_a_directory(store_dir: Path) -> None:
    (store_dir / "linkenv-store.json").mkdir(parents=True)
    with pytest.raises(StoreError):
        Store.open(store_dir)


def test_half_made_store_is_finished(store_dir: Path) -> None:
    """Killed before the description was written: it is written last, so the next one makes what is missing."""
    (store_dir / "v1" / "objects").mkdir(parents=True)
    Store.open(store_dir).publish("x.json", "{}")
    assert (store_dir / "linkenv-store.json").exists()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_file_in_the_way(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnwritableError, match="cannot be written") as caught:
        Store.open(tmp_path / place)
    assert "move it away" in caught.value.remedy


def test_published_text(store_dir: Path) -> None:
    store = Store.open(store_dir)
    assert store.read("plans/a.json") is None
    store.publish("plans/a.json", "first\r\n\u00e9\n")
    assert store.read("plans/a.json") == "first\r\n\u00e9\n"
    store.publish("plans/a.json", "second")
    assert store.read("plans/a.json") == "second"
    assert not list(Path(store.layout.staging).iterdir())


def test_text_that_cannot_be_published_leaves_the_old_one(store_dir: Path) -> None:
    store = Store.open(store_dir)
    store.publish("a.json", "first")
    with pytest.raises(UnicodeEncodeError):
        store.publish("a.json", "second \ud800")
    assert store.read("a.json") == "first"
    assert not list(Path(store.layout.staging).iterdir())


def test_damaged_text_is_a_miss(store_dir: Path) -> None:
    """Whoever reads a text makes it anew where there is none; bytes that are no text are none."""
    store = Store.open(store_dir)
    store.publish("plans/a.json", "{}")
    Path(store.layout.base, "plans", "a.json").write_bytes(b"\xff\xfe\x80")
    assert store.read("plans/a.json") is None
