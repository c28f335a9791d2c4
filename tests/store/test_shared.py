"""One store for several users: who may write is said by the mode of its root, whatever anybody's umask is."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.digest import mtime_of
from nox_linkenv.maintenance.prune import prune
from nox_linkenv.maintenance.removal import Pruning
from nox_linkenv.maintenance.verify import verify
from nox_linkenv.store import Store
from nox_linkenv.store.layers import open_companion
from nox_linkenv.store.objects import discard, intact, owner_of
from tests.store.tool import as_nobody, check_whole
from tests.support.capabilities import Capability
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUP = 65534


@pytest.fixture
def shared() -> Iterator[Path]:
    """The root of a store for a group: ``mkdir -m 2775`` and ``chgrp``, as the documentation says."""
    with tempfile.TemporaryDirectory(prefix="linkenv-test-") as directory:
        os.chmod(directory, 0o755)
        root = Path(directory, "store")
        root.mkdir()
        os.chown(root, -1, _GROUP)
        root.chmod(0o2775)
        yield root


def check_modes(root: Path) -> None:
    for path in root.rglob("*"):
        status = path.lstat()
        mode = stat.S_IMODE(status.st_mode)
        if path.is_dir():
            assert mode == 0o2775, path
        elif "/locks/" in str(path) or path.name == "discarded":
            assert mode == 0o664, path
        else:
            assert mode in (0o644, 0o755), path
        assert status.st_gid == _GROUP, path


@pytest.mark.needs(Capability.ROOT)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("mask", [0o077, 0o027, 0o002])
def test_group(mask: int, shared: Path) -> None:
    """Each adds what the other reads, and takes part in the same locks."""
    before = os.umask(mask)
    try:
        mine = make_wheel(shared.parent, "mine")
        theirs = make_wheel(shared.parent, "theirs")
        for wheel in (mine, theirs):
            wheel.chmod(0o644)
        store = Store.open(shared)
        first = store.add(mine)
        store.note("plans/aa/x.json", "{}")

        def use() -> None:
            os.umask(mask)
            other = Store.open(shared)
            assert other.writable
            assert other.manifest(first.digest) == first
            assert other.load("plans/aa/x.json", dict) == {}
            second = other.add(theirs)
            assert other.manifest(second.digest) == second
            other.publish("plans/aa/x.json", '{"by": "another"}')
            with other.locked(exclusive=True):
                pass
            discard(other.layout, f"objects/{second.files[0].address[:2]}/{second.files[0].address[2:]}")

        assert as_nobody(use) == ""
        assert store.load("plans/aa/x.json", dict) == {"by": "another"}
        store.add(theirs)
        check_whole(store)
        check_modes(shared)
    finally:
        os.umask(before)


@pytest.mark.needs(Capability.ROOT)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_an_entry_that_another_user_breaks_is_noticed(shared: Path) -> None:
    """Nobody can write into another's object; replacing one is possible, and shows by size, time or mode."""
    store = Store.open(shared)
    (file, *_) = store.add(make_wheel(shared.parent)).files
    path = store.layout.object(file.address)

    def spoil() -> None:
        with pytest.raises(PermissionError):
            open(path, "r+b")  # noqa: SIM115 - it does not open
        os.unlink(path)
        Path(path).write_bytes(b"x" * file.size)

    assert as_nobody(spoil) == ""
    status = os.stat(path)
    assert status.st_size == file.size
    assert not intact(path, size=file.size, mtime=mtime_of(file.address))
    assert store.add(make_wheel(shared.parent)).files[0] == file
    check_whole(store)


@pytest.mark.needs(Capability.ROOT)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_another_users_companion_does_not_keep_a_store_from_being_pruned(shared: Path) -> None:
    store = Store.open(shared)
    companion = open_companion(str(shared.parent / "companion"), store)
    with companion.locked():
        pass
    kept = Path(companion.layout.base, "objects", "00", "0" * 62)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"")
    plan = f"plans/aa/{'0' * 62}.json"
    store.note(plan, "{}")

    def clear() -> None:
        prune(Store.open(shared), Pruning(before=float("inf"), grace=0.0, now=time.time() + 10.0))

    assert as_nobody(clear) == ""
    assert store.load(plan, dict) is None
    assert kept.exists()


@pytest.mark.needs(Capability.ROOT)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_spare_that_another_user_keeps_to_himself_is_no_damage(shared: Path) -> None:
    store = Store.open(shared)
    spare = Path(store.layout.directory("spares"), "0" * 40, "1" * 16, ".linkenv")
    spare.mkdir(parents=True)
    findings = [finding.name for finding in verify(store, full=False, now=0.0).findings]
    assert findings == [f"spares/{'0' * 40}/{'1' * 16}"], "without its state it is damaged"
    spare.parent.chmod(0o700)

    def look() -> None:
        assert verify(Store.open(shared), full=False, now=0.0).findings == []

    assert as_nobody(look) == ""


@pytest.mark.needs(Capability.ROOT)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_an_entry_that_another_user_forges_is_found_by_its_digest(shared: Path) -> None:
    """With the size, the date and the mode of the right one it is taken for it, until somebody hashes it."""
    store = Store.open(shared)
    (file, *_) = store.add(make_wheel(shared.parent)).files
    path, mtime = store.layout.object(file.address), mtime_of(file.address)

    def forge() -> None:
        os.unlink(path)
        Path(path).write_bytes(b"x" * file.size)
        os.chmod(path, 0o644)
        os.utime(path, (mtime, mtime))

    assert verify(store, full=True, now=0.0).findings == []
    assert as_nobody(forge) == ""
    assert intact(path, size=file.size, mtime=mtime, owner=owner_of(store.layout.base))
    assert verify(store, full=False, now=0.0).findings == []
    found = verify(store, full=True, now=0.0).findings
    assert [f"{store.layout.base}/{finding.name}" for finding in found] == [path]


@pytest.mark.parametrize("mask", [0o077, 0o002])
def test_private_store_is_not_widened(mask: int, store_dir: Path, tmp_path: Path) -> None:
    """Without a group's root, the group may write nothing, even where the umask would let it."""
    before = os.umask(mask)
    try:
        store = Store.open(store_dir)
        store.add(make_wheel(tmp_path))
    finally:
        os.umask(before)
    for path in (store_dir, *store_dir.rglob("*")):
        assert path.lstat().st_mode & 0o022 == 0, path
