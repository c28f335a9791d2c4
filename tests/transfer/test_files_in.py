"""Files of an archive on their way into a store: what they are afterwards, and what the system is asked for each."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.digest import mtime_of
from nox_linkenv.store import Store
from nox_linkenv.transfer.container import Contents
from nox_linkenv.transfer.take_in import take_in
from tests.support.capabilities import Capability
from tests.support.shared import ROOT
from tests.transfer.tool import written

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["objects"]

pytestmark = pytest.mark.needs(Capability.ZSTD)

_TAKE: Final = (
    "import os, sys; from nox_linkenv.store import Store; from nox_linkenv.transfer.take_in import take_in;"
    " os.umask(int(sys.argv[3], 8)); take_in(Store.open(sys.argv[1]), sys.argv[2], progress=lambda _: None)"
)


def objects(count: int, *, executable: bool = False) -> list[tuple[str, bytes]]:
    """Return names and contents of as many objects."""
    contents = [f"content {number}\n".encode() * 100 for number in range(count)]
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    end = "x" * executable
    return [
        (f"objects/{digest[:2]}/{digest[2:]}{end}", content) for digest, content in zip(digests, contents, strict=True)
    ]


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
@pytest.mark.parametrize("umask", ["000", "022", "077"])
def test_modes_and_times_are_those_of_the_store_whatever_the_umask(umask: str, tmp_path: Path) -> None:
    files = [*objects(2), *objects(2, executable=True)]
    path = written(tmp_path / "archive", [(Contents.FILES, files)])
    subprocess.run(
        [sys.executable, "-c", _TAKE, str(tmp_path / "store"), str(path), umask],
        cwd=ROOT,
        check=True,
    )
    for name, content in files:
        status = (tmp_path / "store" / "v2" / name).stat()
        addr = name.removeprefix("objects/").replace("/", "")
        assert stat.S_IMODE(status.st_mode) == (0o755 if addr.endswith("x") else 0o644)
        assert status.st_mtime_ns == mtime_of(addr) * 1_000_000_000
        assert status.st_size == len(content)


def test_what_is_changed_in_the_store_goes_and_what_is_whole_stays(tmp_path: Path) -> None:
    files = objects(3)
    path = written(tmp_path / "archive", [(Contents.FILES, files)])
    store = Store.open(tmp_path / "store")
    take_in(store, str(path), progress=lambda _: None)
    base = tmp_path / "store" / "v2"
    changed, stays, gone = (base / name for name, _ in files)
    changed.write_bytes(b"other")
    gone.unlink()
    inode, inodes = changed.stat().st_ino, stays.stat().st_ino
    taken = take_in(store, str(path), progress=lambda _: None)
    assert (taken.files, taken.present) == (2, 1)
    assert all((base / name).read_bytes() == content for name, content in files)
    assert stays.stat().st_ino == inodes
    assert (base / "discarded").read_text() == f"{inode} {files[0][0]}\n"


@pytest.mark.needs(Capability.STRACE)
def test_few_calls_are_made_for_each_file(tmp_path: Path) -> None:
    """Each is a moment in which another thread takes over, so that what is not needed costs far more than itself."""
    counts = []
    for count in (100, 300):
        path = written(tmp_path / "archive", [(Contents.FILES, objects(count))])
        log = tmp_path / "calls"
        command = [sys.executable, "-c", _TAKE, str(tmp_path / f"store-{count}"), str(path), "022"]
        traced = ["strace", "-f", "-qq", "-e", "trace=%file,%desc", "-o", str(log)]
        subprocess.run([*traced, *command], cwd=ROOT, check=True)
        counts.append(sum("mkdir" not in line for line in log.read_text().splitlines()))
    each = (counts[1] - counts[0]) / 200
    assert each < 12, f"{each} calls for each file"
