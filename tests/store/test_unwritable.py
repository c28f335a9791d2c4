"""Stores that cannot be written or are full: one error that says what to do, and the store as it was."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.errors import StoreUnwritableError
from nox_linkenv.store import Store
from tests.store.tool import as_nobody, check_whole, listing, mount, objects, visible
from tests.support.capabilities import Capability
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs(Capability.ROOT, Capability.MOUNT)


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    with mount("--bind", place, place):
        remount = ["mount", "-o", "remount,ro,bind", str(place)]
        subprocess.run(remount, check=True)
        yield


def incompressible(directory: Path, name: str, *, kilobytes: int, files: int = 20) -> Path:
    source = random.Random(name)
    contents = {f"{name}/{i}.bin": source.randbytes(kilobytes * 1024 // files) for i in range(files)}
    return make_wheel(directory, name, files=contents, method=0)


def fill(place: Path, *, leave: int) -> Path:
    """Fill the filesystem at *place* but for *leave* bytes and return the file that does."""
    ballast = place / "ballast"
    status = os.statvfs(place)
    with ballast.open("wb") as stream:
        stream.write(bytes(max(0, status.f_bavail * status.f_frsize - leave)))
    return ballast


def test_read_only_mount(tmp_path: Path, store_dir: Path) -> None:
    """It still serves; adding is refused."""
    wheel, other = make_wheel(tmp_path), make_wheel(tmp_path, "other")
    manifest = Store.open(store_dir).add(wheel)
    before = listing(store_dir)
    with read_only(store_dir):
        store = Store.open(store_dir)
        assert store.manifest(manifest.digest) == manifest
        with pytest.raises(StoreUnwritableError, match="Read-only file system") as caught:
            store.add(other)
        assert "LINKENV_STORE" in caught.value.remedy
        with pytest.raises(StoreUnwritableError):
            store.publish("x.json", "{}")
    assert listing(store_dir) == before


def test_read_only_store_in_which_nobody_has_added(tmp_path: Path, store_dir: Path) -> None:
    Store.open(store_dir)
    with read_only(store_dir), pytest.raises(StoreUnwritableError, match="Read-only file system"):
        Store.open(store_dir).add(make_wheel(tmp_path))


def test_no_store_in_a_read_only_place(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with read_only(place), pytest.raises(StoreUnwritableError, match="Read-only file system"):
        Store.open(place / "store")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_another_user(tmp_path: Path) -> None:
    """Somebody without write permission reads what is there and is refused adding."""
    with tempfile.TemporaryDirectory(prefix="linkenv-test-") as directory:
        place = Path(directory)
        place.chmod(0o755)
        wheel, other = make_wheel(place), make_wheel(place, "other")
        manifest = Store.open(place / "store").add(wheel)
        before = listing(place / "store")

        def use() -> None:
            store = Store.open(place / "store")
            assert store.manifest(manifest.digest) == manifest
            with pytest.raises(StoreUnwritableError, match="Permission denied"):
                store.add(other)
            with pytest.raises(StoreUnwritableError, match="Permission denied"):
                Store.open(place / "second")

        assert as_nobody(use) == ""
        assert listing(place / "store") == before


@pytest.mark.parametrize("leave", [0, 64 << 10, 1 << 20])
def test_full_store(leave: int, tmp_path: Path) -> None:
    """The disk runs full in the middle; afterwards, with room again, the same wheel is added."""
    place = tmp_path / "small"
    place.mkdir()
    wheel = incompressible(tmp_path, "big", kilobytes=1500)
    with mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", place):
        store = Store.open(place / "store")
        store.add(incompressible(tmp_path, "small", kilobytes=100))
        ballast = fill(place, leave=leave)
        before = listing(place / "store")
        with pytest.raises(StoreUnwritableError, match="store is full") as caught:
            store.add(wheel)
        assert caught.value.path == place / "store"
        assert listing(place / "store") == before
        assert not os.listdir(store.layout.staging)
        with pytest.raises(StoreUnwritableError, match="store is full"):
            store.publish("plans/x.json", "x" * (2 << 20))
        assert not os.listdir(store.layout.staging)
        assert store.load("plans/x.json", dict) is None
        ballast.unlink()
        store.add(wheel)
        check_whole(store)


def test_first_wheel_of_a_store_that_is_full(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    with mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", place):
        store = Store.open(place / "store")
        fill(place, leave=0)
        with pytest.raises(StoreUnwritableError, match="full"):
            store.add(make_wheel(tmp_path))
        assert not objects(store)
        assert not visible(store)


def test_disk_full_between_objects_and_manifest(tmp_path: Path) -> None:
    """The objects fit and the manifest does not: no wheel shows, and what shows is whole."""
    place = tmp_path / "small"
    place.mkdir()
    contents = {f"demo/{'n' * 150}{i}.py": b"x" for i in range(2000)}
    wheel = make_wheel(tmp_path, files=contents)
    with mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", place):
        store = Store.open(place / "store")
        fill(place, leave=200 << 10)
        with pytest.raises(StoreUnwritableError, match="store is full"):
            store.add(wheel)
        assert not visible(store)
        check_whole(store)
        assert not os.listdir(store.layout.staging)
