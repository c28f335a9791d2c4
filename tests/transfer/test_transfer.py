"""Exporting from one store and importing into another: what the next machine finds there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.maintenance.verify import verify
from nox_linkenv.store import Store
from nox_linkenv.store.roots import find_roots, register_root
from nox_linkenv.transfer.export import export
from nox_linkenv.transfer.selection import EVERYTHING, select
from nox_linkenv.transfer.take_in import take_in
from tests.cli.tool import age, answer, linkenv
from tests.provision.tool import Site, changed_objects, put_wheel, served
from tests.store.tool import ROOT
from tests.transfer.tool import exported, members, notes_in, taken_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LIMIT: Final = 200 << 20
_PEAK: Final = """
import sys
import time
from nox_linkenv.cli import main
assert main(sys.argv[1:]) == 0
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) * 1024, file=sys.stderr)
"""


def test_an_empty_machine_is_warm(used: Site, archive: Path, elsewhere: Callable[[str], Site]) -> None:
    there = elsewhere("other")
    said = answer(there, "import", str(archive))
    assert said["files_present"] == said["notes_kept"] == 0
    assert said["files"] > 20
    place = there.place("new")  # a skeleton that is not there would not be captured here
    session = place.session(["one"], run="import one.run; one.run.main()")
    assert session.calls == []
    assert session.messages[0].startswith("reused the resolution of ")
    assert session.warnings == []
    cached = {path.name.partition(".")[0]: path.stat().st_nlink for path in place.packages.glob("one/__pycache__/*")}
    assert cached["part1"] > 1, "what was imported before has its bytecode from the store"
    assert "part2" not in cached
    assert verify(Store.open(there.store), full=True, now=0.0).findings == []
    assert not list((there.base / "staging").iterdir())


def test_equal_contents_give_equal_archives(used: Site, archive: Path, elsewhere: Callable[[str], Site]) -> None:
    assert exported(used, "--all").read_bytes() == archive.read_bytes()
    there = elsewhere("other")
    linkenv(there, "import", str(archive))
    assert exported(there, "--all").read_bytes() == archive.read_bytes()


def test_a_second_import_changes_nothing(used: Site, archive: Path, elsewhere: Callable[[str], Site]) -> None:
    there = elsewhere("other")
    first = taken_in(there, archive)
    before = notes_in(there.base)
    again = taken_in(there, archive)
    assert (again.files, again.notes) == (0, 0)
    assert (again.present, again.kept) == (first.files, first.notes)
    assert notes_in(there.base) == before


def test_archives_add_up(used: Site, archive: Path, elsewhere: Callable[[str], Site]) -> None:
    """Two machines that had one archive import other modules, and install other things; a third has all of it."""
    first, second, both = elsewhere("first"), elsewhere("second"), elsewhere("both")
    for site in (first, second):
        taken_in(site, archive)
    first.place("a").session(["one"], run="import one.part2")
    second.place("b").session(["one"], ["two"], run="import one.part3, two")
    for site in (first, second):
        taken_in(both, exported(site, "--all"))
    place = both.place("c")
    session = place.session(["one"], ["two"])
    assert session.calls == []
    cached = {path.name.partition(".")[0] for path in place.packages.rglob("*.pyc") if path.stat().st_nlink > 1}
    assert {"part1", "part2", "part3", "run", "two"} <= cached


def test_the_newer_answer_stands(used: Site, archive: Path, elsewhere: Callable[[str], Site]) -> None:
    """Imported before or after: which of two archives came first does not matter."""
    put_wheel(used.wheels, "one", "2.0", one__py="VALUE = 'new'\n")
    kept = [path for path in used.wheels.iterdir() if path.name.startswith("one-1")]
    age(used.base, 0)
    settings = replace(used.settings, resolution_age=0.0)
    assert used.place().session(["one"], settings=settings, run="import one").calls[:1] == ["ask"]
    newer = exported(used, "--all")
    assert kept
    for name, order in (("new first", (newer, archive)), ("old first", (archive, newer))):
        there = elsewhere(name)
        for path in order:
            taken_in(there, path)
        place = there.place(name[:3])
        assert place.session(["one"]).calls == []
        assert place.run("import one; print(one.VALUE)") == "new"


def test_what_was_changed_in_the_store_is_put_right(
    used: Site, archive: Path, elsewhere: Callable[[str], Site]
) -> None:
    there = elsewhere("other")
    taken_in(there, archive)
    objects = sorted(path for path in there.base.glob("objects/*/*") if path.stat().st_size > 100)
    objects[0].write_bytes(b"something else")
    objects[1].unlink()
    note = next(there.base.glob("plans/*/*.json"))
    note.write_bytes(note.read_bytes()[:-10])
    taken_in(there, archive)
    assert changed_objects(there.base) == []
    assert notes_in(there.base) == notes_in(used.base)


def _run_as(site: Site, process: int) -> None:
    """Have all that was done until now be the work of another *process*."""
    store = Store.open(site.store)
    for root in list(find_roots(store)):
        if root.pid == os.getpid():
            register_root(store, root._replace(pid=process))


def _plans(archive: Path) -> set[str]:
    """Return the names of the distributions in the plans of *archive*."""
    plans = [json.loads(content)["note"] for name, content in members(archive).items() if name.startswith("plans/")]
    return {entry[0] for plan in plans if "distributions" in plan for entry in plan["distributions"]}


def test_what_the_last_run_used_is_the_default(used: Site) -> None:
    age(used.base, 60)
    store = Store.open(used.store)
    for root in list(find_roots(store)):
        register_root(store, root._replace(pid=1, since=root.since - 60))
    used.place("second").session(["two"])
    for archive in (exported(used), exported(used, "--used")):
        found = members(archive)
        assert _plans(archive) == {"two"}
        assert sum(name.startswith("wheels/") for name in found) == 1
        assert sum(name.startswith("resolutions/") for name in found) == 1
        assert not any(b"one/part1.py" in content for content in found.values())


def test_what_one_environment_needs(used: Site, elsewhere: Callable[[str], Site]) -> None:
    used.place("second").session(["two"])
    archive = exported(used, "--env", used.place("second").prefix)
    assert _plans(archive) == {"two"}
    there = elsewhere("other")
    taken_in(there, archive)
    assert there.place("third").session(["two"]).calls == []
    both = exported(used, "--env", used.place().prefix, "--env", used.place("second").prefix)
    assert _plans(both) == {"one", "two"}
    done = linkenv(used, "export", "--env", str(used.root), str(used.root / "none"), code=1)
    assert "No finished environment of this store is there" in done.stderr


def test_what_was_used_since_a_file_was_written(used: Site) -> None:
    age(used.base, 60)
    store = Store.open(used.store)
    for root in list(find_roots(store)):
        register_root(store, root._replace(since=root.since - 60, until=root.until - 60))
    mark = used.root / "mark"
    mark.touch()
    assert not exported(used, "--since", str(mark)).exists(), "nothing was used"
    used.place("second").session(["two"])
    assert _plans(exported(used, "--since", str(mark))) == {"two"}
    assert _plans(exported(used, "--since", "1h")) == {"one", "two"}
    done = linkenv(used, "export", "--since", "yesterday", str(used.root / "none"), code=2)
    assert "neither a duration such as 2h or 45m nor a file that is there" in done.stderr


def test_what_has_lost_a_file_is_left_out_and_told(used: Site) -> None:
    used.place("second").session(["two"])
    for path in used.base.glob("objects/*/*"):
        if path.read_bytes() == b"VALUE = 2\n":
            path.unlink()
    archive = used.root / "archive"
    done = linkenv(used, "export", "--all", str(archive))
    assert "are left out" in done.stderr
    assert _plans(archive) == {"one"}


def test_a_damaged_file_is_not_exported(used: Site) -> None:
    path = next(path for path in used.base.glob("objects/*/*") if path.read_bytes() == b"VALUE = 3\n" * 50)
    status = path.stat()
    path.write_bytes(b"VALUE = 4\n" * 50)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    done = linkenv(used, "export", "--all", str(used.root / "archive"), code=1)
    assert "A stored file is not what it was stored as" in done.stderr
    assert not [name for name in os.listdir(used.root) if "archive" in name or name.endswith(".part")]


def test_a_store_that_no_run_has_used(used: Site) -> None:
    empty = replace(used, settings=replace(used.settings, store=str(used.root / "empty")))
    Store.open(empty.store)
    done = linkenv(empty, "export", str(used.root / "archive"), code=1)
    assert "No run is known to have used this store" in done.stderr


def test_where_nothing_was_used_the_archive_stays_as_it_is(used: Site) -> None:
    """A job that runs no session must not save an empty archive, from which the next job would start."""
    archive, mark = exported(used), used.root / "mark"
    before = archive.read_bytes()
    mark.touch()
    os.utime(mark, (time.time() + 10, time.time() + 10))
    done = linkenv(used, "export", "--since", str(mark), str(archive))
    assert f"Nothing of the store was used then: no archive is written, and {archive} stays what it is." in done.stderr
    assert archive.read_bytes() == before
    other = used.root / "other.archive"
    told = json.loads(linkenv(used, "export", "--json", "--since", str(mark), str(other)).stdout)
    assert (told["archive"], told["archive_bytes"]) == (None, 0)
    assert not other.exists()


def test_a_place_where_no_archive_can_be_is_told(used: Site) -> None:
    for place, what in ((used.root, "This is a directory"), (used.root / "no" / "file", "There is no such directory")):
        done = linkenv(used, "export", "--all", str(place), code=1)
        assert f"linkenv: {what}: {place if what.endswith('a directory') else place.parent}. " in done.stderr
    for place, what in ((used.root, "This is no file"), (used.root / "nothing", "There is no such file")):
        done = linkenv(used, "import", str(place), code=1)
        assert f"linkenv: {what}: {place}. Name a file that linkenv export has written." in done.stderr


def test_an_interrupt_leaves_nothing_half_made(used: Site, archive: Path, elsewhere: Callable[[str], Site]) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    store, target = Store.open(used.store), used.root / "place" / "archive"
    target.parent.mkdir()
    with pytest.raises(KeyboardInterrupt):
        export(store, select(store, EVERYTHING), str(target), progress=interrupt)
    assert list(target.parent.iterdir()) == []
    there = elsewhere("other")
    with pytest.raises(KeyboardInterrupt):
        take_in(Store.open(there.store), str(archive), progress=interrupt)
    assert notes_in(there.base) == {}
    assert not list((there.base / "staging").iterdir())
    assert verify(Store.open(there.store), full=True, now=0.0).findings == []


def test_no_password_is_in_it(used: Site) -> None:
    with served(used) as index:
        index.users = frozenset({"somebody:open-sesame"})
        index.publish("three", "1.0")
        used.environ["PIP_INDEX_URL"] = index.simple.replace("://", "://somebody:open-sesame@")
        used.place("second").session(["three"])
    found = members(exported(used, "--all"))
    assert any(name.startswith("pages/") for name in found)
    assert [name for name, content in found.items() if b"sesame" in content or b"somebody:" in content] == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_memory_does_not_grow_with_what_is_exported(used: Site, elsewhere: Callable[[str], Site]) -> None:
    block = b"".join(number.to_bytes(8, "big") * 16 for number in range(1 << 15))  # 4 MB
    put_wheel(used.wheels, "large", large____init____py="", large___data__bin=block * 100)
    used.place("large").session(["large"])
    archive, there = used.root / "archive", elsewhere("other")
    for site, command in ((used, ["export", "--all"]), (there, ["import"])):
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, *command, "--store", str(site.store), str(archive)],
            env={**used.environ, "PYTHONPATH": str(ROOT)},
            cwd=used.project,
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(done.stderr.splitlines()[-1]) < _LIMIT, done.stderr
    assert there.place("again").session(["large"]).calls == []


def test_without_zstd_it_is_said_what_to_install(used: Site) -> None:
    hidden = "import sys; sys.modules.update({'backports.zstd': None, 'compression.zstd': None}); "
    for command in ("export", "import"):
        done = subprocess.run(
            [sys.executable, "-c", f"{hidden}from nox_linkenv.cli import main; sys.exit(main())", command, "archive"],
            env={**used.environ, "LINKENV_STORE": str(used.store), "PYTHONPATH": str(ROOT)},
            cwd=used.project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "Install nox-linkenv[archive]" in done.stderr
        assert "Traceback" not in done.stderr
