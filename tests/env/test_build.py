"""Carrying out plans by themselves: what is written privately is whole, and shares nothing."""

from __future__ import annotations

import csv
import os
import stat
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.env.assembly.assembler import Assembler, write_private
from nox_linkenv.env.planning import Installable, make_plan
from nox_linkenv.errors import EnvError
from nox_linkenv.store import Store
from tests.env.tool import FACTS
from tests.store.tool import check_whole, mount
from tests.support.capabilities import Capability
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

_MODES = {"demo-1.0.data/scripts/tool": stat.S_IFREG | 0o755}
_FILES = {
    "demo/__init__.py": b"",
    "demo/main.py": b"x = 1\n",
    "demo.pth": b"# nothing\n",
    "demo-1.0.data/scripts/tool": b"#!python -E\nprint()\n",
    "demo-1.0.data/scripts/module": b"#!python\nprint()\n",
    "demo-1.0.data/data/share/a, b": b"x",
}


def build(prefix: Path, store: Store, wheel: Path) -> None:
    plan = make_plan([Installable(store.add(wheel), requested=True)], FACTS)
    prefix.mkdir(exist_ok=True)
    assembler = Assembler(str(prefix), store.layout)
    assembler.directories(plan.links.directories)
    assert assembler.link(plan.links).explain() is None
    assembler.private(plan)
    assembler.touch(FACTS.site_packages)


def test_environment_of_one_wheel(tmp_path: Path, store_dir: Path) -> None:
    store, prefix = Store.open(store_dir), tmp_path / "an environment"
    scripts = "[console_scripts]\ncli = demo.main:x\n"
    build(prefix, store, make_wheel(tmp_path, files=_FILES, modes=_MODES, entry_points=scripts))
    site = prefix / FACTS.site_packages[0]
    assert (prefix / "bin/tool").read_bytes() == f"#!{prefix}/bin/python\nprint()\n".encode()
    assert (prefix / "bin/cli").read_text().startswith(f"#!{prefix}/bin/python\nfrom demo.main import x\n")
    # Executable is what the wheel says is, as with pip.
    executable = {name: bool((prefix / "bin" / name).stat().st_mode & 0o111) for name in ("tool", "cli", "module")}
    assert executable == {"tool": True, "cli": True, "module": False}
    assert (site / "demo/main.py").stat().st_nlink == 2
    private = ["demo/__init__.py", "demo.pth", "demo-1.0.dist-info/RECORD", "demo-1.0.dist-info/INSTALLER"]
    assert [(site / name).stat().st_nlink for name in private] == [1] * 4
    with (site / "demo-1.0.dist-info/RECORD").open(newline="") as stream:
        record = {row[0]: row[1:] for row in csv.reader(stream)}
    from nox_linkenv.env.record import record_row

    for name, columns in record.items():
        if not name.endswith("/RECORD"):
            assert next(csv.reader([record_row(name, (site / name).read_bytes())])) == [name, *columns]
    listed = {os.path.normpath(site / name) for name in record}
    assert listed == {str(path) for path in prefix.rglob("*") if path.is_file()}


def test_building_over_what_stands_there(tmp_path: Path, store_dir: Path) -> None:
    """As after a file was written privately or linked by hand: nothing is opened for writing."""
    store, prefix = Store.open(store_dir), tmp_path / "environment"
    wheel = make_wheel(tmp_path, files=_FILES)
    build(prefix, store, wheel)
    other = tmp_path / "other"
    other.write_bytes(b"untouched")
    for path in [path for path in prefix.rglob("*") if path.is_file()]:
        path.unlink()
        path.hardlink_to(other)
    build(prefix, store, wheel)
    assert (other.read_bytes(), other.stat().st_nlink) == (b"untouched", 1)
    check_whole(store)


def test_file_where_a_directory_belongs(tmp_path: Path, store_dir: Path) -> None:
    prefix = tmp_path / "environment"
    prefix.mkdir()
    (prefix / "lib").write_bytes(b"")
    with pytest.raises(EnvError, match="needs a directory") as caught:
        Assembler(str(prefix), Store.open(store_dir).layout).directories(["lib"])
    assert caught.value.path == prefix / "lib"


def test_private_file_replaces_a_link(tmp_path: Path) -> None:
    other, target = tmp_path / "other", tmp_path / "target"
    other.write_bytes(b"untouched")
    target.symlink_to(other)
    write_private(str(target), b"new", executable=True)
    assert (target.is_symlink(), target.read_bytes(), other.read_bytes()) == (False, b"new", b"untouched")


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
def test_disk_full_while_a_private_file_is_written(tmp_path: Path) -> None:
    """The system writes what fits and says how much: that is no success."""
    place = tmp_path / "place"
    place.mkdir()
    with mount("-t", "tmpfs", "-o", "size=256k", "tmpfs", place), pytest.raises(OSError, match="No space left"):
        write_private(str(place / "RECORD"), b"x" * (1 << 20), executable=False)
