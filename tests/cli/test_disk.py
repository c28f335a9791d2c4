"""What ``du`` adds up is what ``df`` sees, on real filesystems."""

from __future__ import annotations

import fcntl
import os
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.linking import LinkMode
from nox_linkenv.maintenance.disk_usage import metadata_bytes
from tests.cli.tool import answer, linkenv
from tests.support.capabilities import Capability
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.provision.tool import Site

#: ``FICLONE`` of linux/fs.h.
_FICLONE: Final = 0x40049409
_MKFS: Final = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "xfs": ("mkfs.xfs", "-q", "-f", "-m", "reflink=1"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
}
_NEEDS: Final = {"ext4": Capability.LOOP, "xfs": Capability.XFS, "btrfs": Capability.BTRFS}


@pytest.fixture(params=[pytest.param(kind, marks=pytest.mark.needs(_NEEDS[kind])) for kind in _MKFS])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A filesystem of its own, in an image file."""
    image, place = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as stream:
        stream.truncate(1 << 30)
    subprocess.run([*_MKFS[request.param], image], check=True, capture_output=True)
    place.mkdir()
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def used(disk: Path) -> int:
    subprocess.run(["sync", "-f", disk], check=True)
    status = os.statvfs(disk)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


@pytest.mark.needs(Capability.ROOT)
def test_totals_are_those_of_df(here: Site, disk: Path) -> None:
    """Two environments that share most of their bytes, one of them with a private file."""
    before = used(disk)
    metadata = metadata_bytes(str(disk)) or 0
    for number in range(4):
        files = {f"part{number}/data{at}.bin": os.urandom(4_000_000) for at in range(10)}
        make_wheel(here.wheels, f"part{number}", files=files, method=zipfile.ZIP_STORED)
    settings = replace(here.settings, store=str(disk / "store"), link_mode=LinkMode.HARDLINK, spares=False)
    for name, wanted in (("one", ["part0", "part1"]), ("two", ["part1", "part2", "part3"])):
        place = here.place(name)
        inside = replace(here, root=disk, settings=settings)
        Path(disk / "project").mkdir(exist_ok=True)
        inside.place(name).session(wanted, settings=settings)
        assert place.name == name
    Path(disk, "project", ".nox", "one", "private").write_bytes(os.urandom(3_000_000))
    there = replace(here, settings=settings)
    found = answer(there, "du")
    taken = used(disk) - before
    assert taken > 160_000_000
    total = found["total_bytes"] + (found["filesystem_metadata_bytes"] or 0) - metadata
    assert abs(total - taken) < taken * 0.01, f"{found['total_bytes']}, {total} against {taken}"
    assert found["saved_bytes"] > 30_000_000
    freed = answer(there, "clean", str(disk / "project"))["freed_bytes"]
    freed += answer(there, "prune", "--unused", "--grace", "0s")["freed_bytes"]
    freed += (found["filesystem_metadata_bytes"] or 0) - (metadata_bytes(str(disk)) or 0)
    gone = before + taken - used(disk)
    assert abs(freed - gone) < taken * 0.01, f"{freed} against {gone}"


@pytest.mark.needs(Capability.ROOT)
def test_reflinks_are_counted_once(here: Site, disk: Path) -> None:
    """Clones of stored files, as the link mode clone makes them: blocks of their own by number, shared in truth."""
    settings = replace(here.settings, store=str(disk / "store"))
    there = replace(here, settings=settings)
    files = {"first/data.bin": os.urandom(40_000_000)}
    make_wheel(here.wheels, "first", files=files, method=zipfile.ZIP_STORED)
    (disk / "project").mkdir()
    before = used(disk)
    metadata = metadata_bytes(str(disk)) or 0
    replace(there, root=disk).place("one").session(["first"], settings=replace(settings, spares=False))
    (file,) = Path(disk, "project", ".nox", "one").glob("lib/*/site-packages/first/data.bin")
    clone = file.with_name("clone")
    with file.open("rb") as source, clone.open("wb") as target:
        try:
            fcntl.ioctl(target, _FICLONE, source.fileno())
        except OSError:
            pytest.skip("this filesystem has no reflinks")
    taken = used(disk) - before
    found = answer(there, "du")
    total = found["total_bytes"] + (found["filesystem_metadata_bytes"] or 0) - metadata
    slack = taken * 0.01 + 2_000_000  # an XFS allocates ahead
    assert abs(total - taken) < slack, f"{found['total_bytes']}, {total} against {taken}"
    (environment,) = found["environments"]
    assert environment["shared_by_reflink_bytes"] > 39_000_000
    assert environment["own_bytes"] < 20_000_000
    linkenv(there, "verify", "--full")
