"""What holds in every link mode on every filesystem: one story for each pair, on the real thing."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.digest import mtime_of
from nox_linkenv.env.receipt import read_receipt
from nox_linkenv.linking import LinkMode
from tests.linking.modes.conftest import place_on
from tests.linking.modes.filesystems import FILESYSTEMS
from tests.provision.tool import changed_objects, tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.linking.modes.filesystems import Filesystem
    from tests.provision.tool import Place, Site

_EDIT = "import demo; open(demo.__file__, 'a').write('EDITED = True\\n')"
_LOOK = "import demo, demo.inner.module; print(demo.VERSION, hasattr(demo, 'EDITED'))"


def expected_mode(filesystem: Filesystem, asked: LinkMode) -> LinkMode:
    if asked is LinkMode.AUTO:
        return filesystem.automatic
    return asked if filesystem.works(asked) else LinkMode.COPY


#: Every mode on every filesystem; among the usual tests are the automatic mode on all, and the others on ext4.
#: There the automatic mode is that of hard links.
_CELLS = [
    pytest.param(
        filesystem,
        mode,
        id=f"{filesystem.name}-{mode.value}",
        marks=()
        if mode is LinkMode.AUTO or (filesystem.name == "ext4" and mode is not LinkMode.HARDLINK)
        else pytest.mark.slow,
    )
    for filesystem in FILESYSTEMS
    for mode in LinkMode
]


@pytest.mark.parametrize(("filesystem", "asked"), _CELLS)
def test_contract(filesystem: Filesystem, asked: LinkMode, tmp_path: Path, settle: Callable[..., Site]) -> None:
    with filesystem.ground(tmp_path) as ground:
        site = settle(filesystem, ground, link_mode=asked)
        place, other = place_on(site, ground, "one"), place_on(site, ground, "two")
        mode = expected_mode(filesystem, asked)
        options = filesystem.parameters

        first = place.session(["demo==1.0"], run=_LOOK, parameters=options)
        assert first.closing.messages == []
        check_files(place, filesystem, mode)
        receipt = read_receipt(place.prefix)
        assert receipt is not None
        assert receipt.modes == (mode.value,)

        # Its successor gets bytecode and is what a fresh one would be, whatever the session has left.
        Path(place.packages, "demo", "left.py").write_text("")
        second = place.session(["demo==1.0"], run=_LOOK, parameters=options)
        assert (second.closing.messages, second.calls) == ([], [])
        check_files(place, filesystem, mode)
        check_bytecode(place)
        if not options:
            third = place.environment()
            place.create(third)
            place.install(third, "demo==1.0")
            assert tree(place.prefix) == place.fresh_tree(["demo==1.0"])

        # An edit is noticed where it reaches the store, and never gets from one environment into the next.
        edited = place.session(["demo==1.0"], run=_EDIT, parameters=options)
        assert len(edited.closing.messages) == 1
        told = "edited" if mode in (LinkMode.HARDLINK, LinkMode.SYMLINK) else "replaced"
        assert told in edited.closing.messages[0]
        other.session(["demo==1.0"], parameters=options)
        assert other.run(_LOOK) == "1.0 False"
        check_files(other, filesystem, mode)
        place.session(["demo==1.0"], parameters=options)
        assert place.run(_LOOK) == "1.0 False"

        # pip replaces and removes, and the store keeps its own.
        pip(place, "install", "--quiet", "--no-deps", "demo==2.0")
        assert place.run(_LOOK) == "2.0 False"
        pip(place, "uninstall", "--quiet", "--yes", "demo")
        assert not (place.packages / "demo").exists()
        assert other.run(_LOOK) == "1.0 False"
        for root in {site.store, *map(Path, receipt.places)}:
            assert changed_objects(root / "v2") == []
        assert not list(Path(place.prefix).parent.glob(".linkenv-probe*"))


def pip(place: Place, *arguments: str) -> None:
    done = subprocess.run(
        [f"{place.prefix}/bin/python", "-m", "pip", *arguments],
        env=place.site.environ,
        cwd=place.site.project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def check_files(place: Place, filesystem: Filesystem, mode: LinkMode) -> None:
    """Check contents, modes, times and kind of the linked files; no directory is ever a link."""
    receipt = read_receipt(place.prefix)
    assert receipt is not None
    base = Path(receipt.places[0], "v2")
    if filesystem.companion and mode is LinkMode.HARDLINK:
        assert base.parent.name == ".linkenv-store"
    else:
        assert base.parent == place.site.store
    packages = place.packages
    for directory, directories, _ in os.walk(packages):
        assert not any(Path(directory, name).is_symlink() for name in directories)
    manifest = next(
        found
        for path in place.site.base.glob("wheels/*/*.json")
        if (found := place.environment().store.manifest(path.parent.name + path.stem)) and found.name == "demo"
    )
    assert manifest.version == "1.0"
    linked = [file for file in manifest.files if file.size and file.path.startswith("demo/")]
    assert len(linked) == 4
    for file in linked:
        path, source = packages / file.path, base / "objects" / file.address[:2] / file.address[2:]
        status = path.stat()
        assert path.read_bytes() == source.read_bytes()
        assert (status.st_size, status.st_mtime) == (file.size, mtime_of(file.address))
        if filesystem.modes:
            assert stat.S_IMODE(status.st_mode) == (0o755 if file.address.endswith("x") else 0o644)
        assert path.is_symlink() is (mode is LinkMode.SYMLINK)
        assert path.samefile(source) is (mode in (LinkMode.HARDLINK, LinkMode.SYMLINK))
    assert (packages / "demo" / "empty.py").lstat().st_nlink == 1


def check_bytecode(place: Place) -> None:
    """Check that the modules have bytecode from the store which is valid: importing does not write it again."""
    found = sorted(place.packages.glob("demo/**/*.pyc"))
    assert {path.name.partition(".")[0] for path in found} >= {"__init__", "module"}
    assert not any(path.is_symlink() for path in found)
    for path in found:
        source = path.parent.parent / f"{path.name.partition('.')[0]}.py"
        header = path.read_bytes()[:16]
        assert int.from_bytes(header[8:12], "little") == int(source.stat().st_mtime)
        assert int.from_bytes(header[12:], "little") == source.stat().st_size
    before = [(path.lstat().st_ino, path.lstat().st_mtime_ns) for path in found]
    place.run(_LOOK)
    assert [(path.lstat().st_ino, path.lstat().st_mtime_ns) for path in found] == before
