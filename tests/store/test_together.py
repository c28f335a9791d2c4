"""Several at once, and processes that are killed: what is visible is whole, and the next one works."""

from __future__ import annotations

import os
import random
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.store import Store
from tests.store.tool import check_whole, objects, start_child, visible
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from nox_linkenv.store import Manifest

#: In each of three parts.
_KILLS = 8


def many(directory: Path, name: str = "many", *, count: int = 300, seed: int = 0) -> Path:
    source = random.Random(seed)
    files = {f"{name}/{i % 17}/{i}.py": source.randbytes(source.randrange(1, 4000)) for i in range(count)}
    return make_wheel(directory, name, files=files)


def test_two_processes(tmp_path: Path, store_dir: Path) -> None:
    """They start from no store at all, and let go together."""
    wheel = many(tmp_path)
    for _ in range(3):
        children = [start_child(store_dir, wheel) for _ in range(2)]
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        for child in children:
            _, errors = child.communicate()
            assert (child.returncode, errors) == (0, "")
        store = Store.open(store_dir)
        check_whole(store)
        assert [manifest.name for manifest in visible(store)] == ["many"]
        assert not os.listdir(store.layout.staging)
        objects(store).popitem()[1].unlink()  # the next round repairs it, both at once


def test_two_processes_with_common_objects(tmp_path: Path, store_dir: Path) -> None:
    """Different wheels, the same contents: nobody waits for the other and both publish the same objects."""
    wheels = [make_wheel(tmp_path, name, files={f"{name}/{i}.py": b"%d" % i for i in range(300)}) for name in "ab"]
    children = [start_child(store_dir, wheel) for wheel in wheels]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        assert (child.communicate()[1], child.returncode) == ("", 0)
    store = Store.open(store_dir)
    check_whole(store)
    assert [manifest.name for manifest in visible(store)] == ["a", "b"]


def test_threads(tmp_path: Path, store_dir: Path) -> None:
    """Two add one wheel, a third another, all through one Store."""
    store = Store.open(store_dir)
    wheels = [many(tmp_path), many(tmp_path, "other", seed=1)]
    barrier = Barrier(3)

    def add(wheel: Path) -> Manifest:
        barrier.wait()
        return store.add(wheel)

    with ThreadPoolExecutor(3) as pool:
        manifests = list(pool.map(add, [wheels[0], wheels[0], wheels[1]]))
    assert manifests[0] == manifests[1]
    check_whole(store)
    assert {manifest.name for manifest in visible(store)} == {"many", "other"}
    assert not os.listdir(store.layout.staging)


def test_threads_open_the_store_at_once(store_dir: Path) -> None:
    barrier = Barrier(8)

    def enter(_: int) -> str:
        barrier.wait()
        return Store.open(store_dir).layout.base

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(enter, range(8))) == {str(store_dir / "v2")}


def test_removal_waits_for_those_who_add(tmp_path: Path, store_dir: Path) -> None:
    """The exclusive lock is not had while another process adds, and adding waits while it is held."""
    wheel = many(tmp_path)
    store = Store.open(store_dir)
    with store.locked(exclusive=True):
        child = start_child(store_dir, wheel)
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
        try:
            child.wait(0.7)
        except subprocess.TimeoutExpired:
            pass
        else:
            raise AssertionError("a wheel was added while the store was locked for removal")
        assert not objects(store)
    assert child.communicate()[1] == ""
    check_whole(store)
    assert len(visible(store)) == 1


@pytest.mark.parametrize("part", range(3))
def test_killed_at_any_moment(part: int, tmp_path: Path, store_dir: Path) -> None:
    """Whatever a killed process leaves, everything visible is whole, and nothing blocks the next one."""
    source = random.Random(4711 + part)
    wheels = [many(tmp_path, f"w{turn}", seed=turn) for turn in range(_KILLS)]
    child = start_child(tmp_path / "first", wheels[0])
    begun = time.monotonic()
    child.communicate("go\n")
    assert child.returncode == 0
    whole = time.monotonic() - begun
    unfinished = 0
    for turn, victim in enumerate(wheels):
        # The moments are spread over the whole of the work; a few of them fall after its end.
        child = start_child(store_dir, victim)
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
        time.sleep(whole * (turn + source.random()) / _KILLS)
        child.kill()
        child.communicate()
        store = Store.open(store_dir)
        check_whole(store)
        unfinished += f"w{turn}" not in {manifest.name for manifest in visible(store)}
    assert unfinished > 0  # else nothing was tested
    store = Store.open(store_dir)
    for victim in wheels:
        store.add(victim)
    check_whole(store)
    assert len(visible(store)) == _KILLS
