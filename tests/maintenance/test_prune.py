"""Pruning removes the least recently used first, never what is used, and counts as the disk counts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.store import Store
from tests.cli.tool import age, answer, linkenv, say, start
from tests.provision.tool import changed_objects, put_wheel, tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.provision.tool import Site

DAY = 86_400.0


@pytest.fixture
def furnished(here: Site) -> Site:
    """Two environments; what is in them was last used ten days ago."""
    for name in ("first", "second"):
        files: dict[str, bytes | str] = {
            f"{name}___core__py": f"name = {name!r}\n",
            f"{name}___data__bin": os.urandom(400_000),
        }
        put_wheel(here.wheels, name, **files)
    here.place("one").session(["first"])
    here.place("two").session(["second"])
    age(here.base, 10 * DAY)
    return here


def manifests(site: Site) -> set[str]:
    """Return the names of the stored wheels."""
    store = Store.open(site.store)
    digests = [path.parent.name + path.stem for path in site.base.glob("wheels/*/*.json")]
    found = [store.manifest(digest, used=False) for digest in digests]
    return {manifest.name for manifest in found if manifest is not None}


def drop(site: Site, name: str) -> None:
    """Remove an environment as a user does."""
    shutil.rmtree(site.place(name).prefix)


def test_what_environments_are_made_of_stays(furnished: Site) -> None:
    before = {name: tree(furnished.place(name).prefix) for name in ("one", "two")}
    found = answer(furnished, "prune", "--unused", "--grace", "0s")
    assert found["kept_for_environments"] == 2
    assert manifests(furnished) == {"first", "second"}
    assert {name: tree(furnished.place(name).prefix) for name in ("one", "two")} == before
    assert answer(furnished, "verify", "--full")["findings"] == []


def test_what_is_being_installed_into_keeps_all_it_has(furnished: Site) -> None:
    """Its receipt is gone until the installation is done."""
    Path(furnished.place("one").prefix, ".linkenv", "receipt.json").unlink()
    answer(furnished, "prune", "--unused", "--grace", "0s")
    assert manifests(furnished) == {"first", "second"}


def test_age_decides(furnished: Site) -> None:
    drop(furnished, "one")
    drop(furnished, "two")
    assert "wheels" not in answer(furnished, "prune")["removed"]
    Store.open(furnished.store).use(next(iter_wheel(furnished, "second")), dict)
    found = answer(furnished, "prune", "--older-than", "5d", "--grace", "0s", "--dry-run")
    assert found["removed"]["wheels"] == 1
    assert manifests(furnished) == {"first", "second"}
    again = answer(furnished, "prune", "--older-than", "5d", "--grace", "0s")
    assert again["removed"] == found["removed"]
    assert again["freed_bytes"] == found["freed_bytes"] > 400_000
    assert manifests(furnished) == {"second"}
    assert answer(furnished, "verify", "--full")["findings"] == []


def iter_wheel(site: Site, name: str) -> Iterator[str]:
    store = Store.open(site.store)
    for path in site.base.glob("wheels/*/*.json"):
        manifest = store.manifest(path.parent.name + path.stem, used=False)
        if manifest is not None and manifest.name == name:
            yield path.relative_to(site.base).as_posix()


def test_size_takes_the_least_recently_used_first(furnished: Site) -> None:
    drop(furnished, "one")
    drop(furnished, "two")
    furnished.place("two").session(["second"])
    drop(furnished, "two")
    found = answer(furnished, "prune", "--max-size", "1B", "--grace", "1h")
    assert found["removed"]["wheels"] == 1
    assert manifests(furnished) == {"second"}  # used within the hour


def test_a_size_that_is_missed_is_told_with_what_holds_it(furnished: Site) -> None:
    drop(furnished, "one")
    dry = answer(furnished, "prune", "--max-size", "1B", "--grace", "0s", "--dry-run")
    before = blocks(furnished.store)
    assert abs(dry["store_bytes_before"] - before) <= 300 * 4096
    assert not dry["max_size_met"]
    assert 400_000 < dry["needed_by_environments_bytes"] < dry["store_bytes"]
    said = say(furnished, "prune", "--max-size", "1B", "--grace", "0s")
    assert "That is more than 1 B:" in said
    assert "are what 1 environments were made of; linkenv clean --older-than 7d removes environments" in said
    drop(furnished, "two")
    met = answer(furnished, "prune", "--max-size", "1GB", "--grace", "0s")
    assert met["max_size_met"]
    assert abs(met["store_bytes"] - blocks(furnished.store)) <= 300 * 4096


def test_what_was_just_used_stays(furnished: Site) -> None:
    drop(furnished, "one")
    furnished.place("one").session(["first"])
    drop(furnished, "one")
    assert "wheels" not in answer(furnished, "prune", "--unused")["removed"]


def test_bytes_are_those_of_the_disk(furnished: Site) -> None:
    """An environment that the store does not know keeps its links; without it the same prune frees them."""
    aside = furnished.root / "aside"
    os.rename(furnished.place("one").prefix, aside)
    dry = answer(furnished, "prune", "--unused", "--grace", "0s", "--dry-run")
    assert dry["still_linked_bytes"] > 400_000 > dry["freed_bytes"]
    shutil.rmtree(aside)
    used = blocks(furnished.store)
    found = answer(furnished, "prune", "--unused", "--grace", "0s")
    assert found["freed_bytes"] > 400_000
    lost = used - blocks(furnished.store)
    assert found["freed_bytes"] <= lost <= found["freed_bytes"] + 300 * 4096  # directories of a spare, lock files


def blocks(root: Path) -> int:
    seen = {}
    for top, directories, files in os.walk(root):
        for name in [*directories, *files]:
            status = os.lstat(os.path.join(top, name))
            seen[status.st_ino] = status.st_blocks * 512
    return sum(seen.values())


def test_what_is_pruned_comes_back_when_asked_for(furnished: Site) -> None:
    drop(furnished, "one")
    answer(furnished, "prune", "--unused", "--grace", "0s")
    assert manifests(furnished) == {"second"}
    session = furnished.place("one").session(["first"])
    assert "ask" in session.calls
    assert (furnished.place("one").packages / "first" / "core.py").read_text() == "name = 'first'\n"
    assert {entry["state"] for entry in answer(furnished, "envs")["environments"]} == {"intact"}


def test_a_plan_whose_objects_are_gone_is_repaired(furnished: Site) -> None:
    """What no prune leaves behind, but a killed disk may: a plan and its manifest without their objects."""
    drop(furnished, "one")
    shutil.rmtree(furnished.base / "objects")
    shutil.rmtree(furnished.base / "spares", ignore_errors=True)
    session = furnished.place("one").session(["first"])
    assert session.warnings
    assert changed_objects(furnished.base) == []


def test_leftovers_of_the_killed_go_and_work_of_the_living_stays(furnished: Site) -> None:
    gone = start(furnished, "info")
    gone.communicate()
    staging = furnished.base / "staging"
    for pid in (gone.pid, os.getpid()):
        (staging / f"{pid}-0123456789abcdef").mkdir()
        (staging / f"{pid}-0123456789abcdef" / "part").write_bytes(b"x" * 5000)
    (staging / f"upkeep-{gone.pid}.json").write_text("{}")
    trash = Path(furnished.place("one").prefix).parent / ".linkenv-trash-one-01234567"
    trash.mkdir()
    time.sleep(0.01)
    found = answer(furnished, "prune", "--grace", "0s")
    assert found["removed"]["leftovers"] == 2
    assert found["removed"]["trash"] == 1
    assert [path.name for path in staging.iterdir()] == [f"{os.getpid()}-0123456789abcdef"]
    assert not trash.exists()


#: Runs the command, and sends its own process a signal when it removes or renames the next file after a certain one.
_SIGNALLED = """
import os, sys

number, after, *arguments = sys.argv[1:]
seen = False


def hook(event, values):
    global seen
    if event in ("os.remove", "os.rename", "os.rmdir"):
        if seen:
            os.kill(os.getpid(), int(number))
        seen = seen or str(values[0]).endswith(after)


from nox_linkenv.cli import main

sys.addaudithook(hook)
sys.exit(main(arguments))
"""


def signalled(site: Site, number: int, after: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``linkenv``, which gets the signal *number* when it has removed, or renamed, what ends with *after*."""
    return subprocess.run(
        [sys.executable, "-c", _SIGNALLED, str(int(number)), after, *arguments],
        cwd=site.project,
        env={**site.environ, "LINKENV_STORE": str(site.store)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_killed_at_any_moment_it_goes_on(furnished: Site) -> None:
    """Killed among what is remembered, while a unit is aside, after it, and between the objects of a wheel."""
    drop(furnished, "one")
    drop(furnished, "two")
    unit = next(iter_wheel(furnished, "first"))
    data = sorted(path for path in furnished.base.glob("objects/*/*") if path.stat().st_size == 400_000)
    assert len(data) == 2
    for after in ("", unit, f"{unit}.aside", data[0].name, data[1].name):
        done = signalled(furnished, signal.SIGKILL, after, "prune", "--unused", "--grace", "0s")
        assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
        broken = [f for f in answer(furnished, "verify", "--full", code=None)["findings"] if f["problem"] == "missing"]
        assert broken == []
    answer(furnished, "prune", "--unused", "--grace", "0s")
    assert manifests(furnished) == set()
    assert not [path for path in furnished.base.glob("objects/*/*") if path.stat().st_size == 400_000]
    furnished.place("one").session(["first"])
    assert answer(furnished, "verify", "--full")["findings"] == []


def test_a_unit_that_is_used_while_it_is_looked_at_stays(furnished: Site) -> None:
    """A user who comes while a prune has the file aside waits until it is decided."""
    import threading

    store = Store.open(furnished.store)
    name = next(furnished.base.glob("plans/*/*.json")).relative_to(furnished.base).as_posix()
    path = furnished.base / name
    aside = Path(f"{path}.aside")
    path.rename(aside)
    threading.Timer(0.2, lambda: aside.rename(path)).start()
    assert store.use(name, dict) is not None
    assert time.time() - path.stat().st_mtime < 60
    path.unlink()
    assert store.use(name, dict) is None


def test_interrupted_it_says_so(furnished: Site) -> None:
    drop(furnished, "one")
    drop(furnished, "two")
    done = signalled(furnished, signal.SIGINT, ".aside", "prune", "--unused", "--grace", "0s")
    assert (done.returncode, done.stderr) == (130, "Interrupted.\n")
    linkenv(furnished, "prune", "--unused", "--grace", "0s")
    assert manifests(furnished) == set()
