"""Storing wheels: good ones become whole objects, hostile ones leave the store as it was."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.digest import mtime_of
from nox_linkenv.errors import WheelError
from nox_linkenv.store import Manifest, Store
from nox_linkenv.wheel import EntryPoint, Scheme
from tests.store.tool import check_whole, listing, objects, sha256, visible
from tests.support.wheels import HOSTILE, HostileWheel, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILES = {
    "demo/__init__.py": b"",
    "demo/main.py": b"def main(): pass\n",
    "demo/copy.py": b"def main(): pass\n",
    "demo/tool": b"#!/bin/sh\n",
    "demo/tool.txt": b"#!/bin/sh\n",
    "demo-1.0.data/scripts/run": b"#!python\nprint()\n",
    "demo-1.0.data/scripts/native": b"\x7fELF",
    "demo-1.0.data/data/share/x, \"y'.txt": b"z",
}
_MODES = {"demo/tool": stat.S_IFREG | 0o755, "demo-1.0.data/scripts/native": stat.S_IFREG | 0o777}


def good(directory: Path) -> Path:
    return make_wheel(directory, files=_FILES, modes=_MODES, entry_points="[console_scripts]\ndemo = demo.main:main\n")


@pytest.fixture(params=[0o077, 0o002, 0o022], ids=lambda mask: f"umask-{mask:03o}")
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.id)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_hostile_wheel_leaves_the_store_as_it_was(hostile: HostileWheel, tmp_path: Path, store_dir: Path) -> None:
    (tmp_path / "good").mkdir()
    store = Store.open(store_dir)
    store.add(make_wheel(tmp_path / "good", "other"))
    before = listing(store_dir)
    wheel = hostile.build(tmp_path)
    with pytest.raises(WheelError) as caught:
        store.add(wheel)
    assert caught.value.path == wheel
    assert "\n" not in str(caught.value).strip()
    assert listing(store_dir) == before
    assert not os.listdir(store.layout.staging)


def test_bad_member_after_many_good_ones(tmp_path: Path, store_dir: Path) -> None:
    """The last file is wrong: nothing of the many before it may show."""
    files = {f"demo/{i}.py": b"%d" % i for i in range(200)} | {"demo/z.bin": b"right" * 100}
    wheel = make_wheel(tmp_path, files=files, method=0)
    wheel.write_bytes(wheel.read_bytes().replace(b"rightright", b"rightwrong", 1))
    store = Store.open(store_dir)
    before = listing(store_dir)
    with pytest.raises(WheelError, match=r"demo/z\.bin"):
        store.add(wheel)
    assert listing(store_dir) == before


def test_objects(tmp_path: Path, store_dir: Path, umask: int) -> None:
    store = Store.open(store_dir)
    manifest = store.add(good(tmp_path))
    check_whole(store)
    found = objects(store)
    by_name = {file.name: file for file in manifest.files}
    assert {file.address for file in manifest.files} == set(found)
    for name, content in _FILES.items():
        file = by_name[name]
        executable = name in _MODES
        assert file.address == sha256(content) + ("x" if executable else "")
        assert file.size == len(content)
        assert found[file.address].read_bytes() == content
        assert stat.S_IMODE(found[file.address].stat().st_mode) == (0o755 if executable else 0o644)
        assert found[file.address].stat().st_mtime_ns == mtime_of(file.address) * 10**9
    assert by_name["demo/main.py"].address == by_name["demo/copy.py"].address
    assert by_name["demo/tool"].address == by_name["demo/tool.txt"].address + "x"
    assert [name for name, file in by_name.items() if file.shebang] == ["demo-1.0.data/scripts/run"]
    assert not os.listdir(store.layout.staging)


def test_manifest_round_trip(tmp_path: Path, store_dir: Path) -> None:
    wheel = good(tmp_path)
    manifest = Store.open(store_dir).add(wheel)
    assert Manifest.from_json(json.loads(manifest.dumps())) == manifest
    assert Store.open(store_dir).manifest(sha256(wheel.read_bytes())) == manifest
    assert (manifest.name, manifest.version, manifest.dist_info) == ("demo", "1.0", "demo-1.0.dist-info")
    assert manifest.entry_points == (EntryPoint("demo", "demo.main:main", gui=False),)
    assert manifest.record[-1] == ("demo-1.0.dist-info/RECORD", "", "")
    assert {file.scheme for file in manifest.files} == {Scheme.PURELIB, Scheme.SCRIPTS, Scheme.DATA}


def test_hash_of_another_algorithm_gives_the_same_object(tmp_path: Path, store_dir: Path) -> None:
    store = Store.open(store_dir)
    addresses = []
    for name in ("sha256", "sha512", "blake2b"):
        manifest = store.add(make_wheel(tmp_path, hash_name=name))
        addresses.append(manifest.files[0].address)
    assert addresses == [sha256(b"print('demo')\n")] * 3
    check_whole(store)


def test_twice_is_once(tmp_path: Path, store_dir: Path) -> None:
    store = Store.open(store_dir)
    wheel = good(tmp_path)
    manifest = store.add(wheel)

    def inodes() -> dict[str, int]:
        return {addr: path.stat().st_ino for addr, path in objects(store).items()}

    before = inodes()
    assert Store.open(store_dir).add(wheel) == manifest
    assert inodes() == before
    assert visible(store) == [manifest]


def _lose(path: Path) -> None:
    path.unlink()


def _lose_shard(path: Path) -> None:
    for other in path.parent.iterdir():
        other.unlink()
    path.parent.rmdir()


def _truncate(path: Path) -> None:
    path.write_bytes(b"")


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"# edited\n")


def _same_size(path: Path) -> None:
    path.write_bytes(bytes(len(path.read_bytes())))


def _same_size_and_time(path: Path) -> None:
    times = path.stat().st_mtime_ns
    path.write_bytes(bytes(len(path.read_bytes())))
    os.utime(path, ns=(times, times))


def _mode(path: Path) -> None:
    path.chmod(0o600)


def _executable(path: Path) -> None:
    path.chmod(0o755)


def _time(path: Path) -> None:
    os.utime(path, (1, 1))


@pytest.mark.parametrize(
    "damage",
    [_lose, _lose_shard, _truncate, _append, _same_size, _same_size_and_time, _mode, _executable, _time],
    ids=lambda function: function.__name__.strip("_"),
)
def test_adding_again_puts_damage_right(damage: object, tmp_path: Path, store_dir: Path) -> None:
    """And an environment that holds the damaged file keeps what it has: the object is another inode."""
    assert callable(damage)
    store = Store.open(store_dir)
    wheel = good(tmp_path)
    store.add(wheel)
    victim = objects(store)[sha256(_FILES["demo/main.py"])]
    held = tmp_path / "held"
    held.hardlink_to(victim)
    damage(victim)
    was = (held.read_bytes(), held.stat().st_mode, held.stat().st_mtime_ns)
    store.add(wheel)
    check_whole(store)
    assert victim.stat().st_nlink == 1 or damage in (_lose, _lose_shard)
    assert (held.read_bytes(), held.stat().st_mode, held.stat().st_mtime_ns) == was


def test_damage_through_another_wheel_is_put_right(tmp_path: Path, store_dir: Path) -> None:
    """Two wheels share an object; either one repairs it."""
    store = Store.open(store_dir)
    first, second = make_wheel(tmp_path, "one"), make_wheel(tmp_path, "two")
    address = store.add(first).files[0].address
    assert store.add(second).files[0].address == address
    _truncate(objects(store)[address])
    store.add(second)
    check_whole(store)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe\x00", b"\0" * 4096])
def test_damaged_manifest_is_a_miss(content: bytes, tmp_path: Path, store_dir: Path) -> None:
    store = Store.open(store_dir)
    manifest = store.add(make_wheel(tmp_path))
    path = Path(store.layout.manifest(manifest.digest))
    path.write_bytes(content)
    assert store.manifest(manifest.digest) is None
    assert store.add(make_wheel(tmp_path)) == manifest
    assert visible(store) == [manifest]


def test_missing_manifest(store_dir: Path) -> None:
    assert Store.open(store_dir).manifest("0" * 64) is None


def test_digest_that_was_asked_for(tmp_path: Path, store_dir: Path) -> None:
    store = Store.open(store_dir)
    wheel = make_wheel(tmp_path)
    before = listing(store_dir)
    with pytest.raises(
        WheelError, match=r"not the one that was asked for: its sha256 is " + sha256(wheel.read_bytes())
    ):
        store.add(wheel, digest="0" * 64)
    assert listing(store_dir) == before
    digest = sha256(wheel.read_bytes())
    assert store.add(wheel, digest=digest).digest == digest


@pytest.mark.parametrize("name", ["gone-1.0-py3-none-any.whl", "."])
def test_wheel_that_cannot_be_opened(name: str, tmp_path: Path, store_dir: Path) -> None:
    with pytest.raises(WheelError, match="cannot be read") as caught:
        Store.open(store_dir).add(tmp_path / name)
    assert caught.value.path == tmp_path / name


@pytest.mark.parametrize("name", ["x.py", "y" * 200, "deep/" * 60 + "z.py"])
def test_names_of_any_length(name: str, tmp_path: Path, store_dir: Path) -> None:
    store = Store.open(store_dir)
    assert name in {file.name for file in store.add(make_wheel(tmp_path, files={name: b"x"})).files}
    check_whole(store)
