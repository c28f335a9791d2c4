"""Storing streams: the memory needed does not grow with the wheel."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.store.tool import ROOT
from tests.support.wheels import Member, make_wheel

if TYPE_CHECKING:
    from tests.support.reliability import Reliability

#: 200 MB, whatever the wheel.
_LIMIT: Final = 200_000_000
_STORE: Final = """
import sys
from pathlib import Path
from nox_linkenv.errors import UnsupportedWheelError
from nox_linkenv.store import Store
try:
    size = sum(file.size for file in Store.open(sys.argv[1]).add(Path(sys.argv[2])).files)
except UnsupportedWheelError:
    size = 0
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) * 1024, size)
"""
_METADATA: Final = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"

# getrusage would count the memory of this process too: a child that is started by vfork inherits its peak.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")


def peak(store: Path, wheel: Path) -> tuple[int, int]:
    """Store *wheel* in a process of its own; return its peak memory and the size of the wheel's files in bytes.

    The size is 0 where it is left to pip.
    """
    done = subprocess.run(
        [sys.executable, "-c", _STORE, str(store), str(wheel)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    memory, size = map(int, done.stdout.split())
    return memory, size


def largest_local_wheel() -> Path | None:
    """Return the largest wheel in the directories that pip's find-links names, if one is of more than 100 MB."""
    wheels = [
        wheel
        for place in os.environ.get("PIP_FIND_LINKS", "").split()
        for wheel in Path(place.removeprefix("file://")).glob("*.whl")
        if wheel.stat().st_size > 100 << 20
    ]
    return max(wheels, key=lambda wheel: wheel.stat().st_size, default=None)


@pytest.mark.slow
def test_largest_wheel(tmp_path: Path, store_dir: Path) -> None:
    wheel = largest_local_wheel()
    if wheel is None:
        noise = random.Random(1).randbytes(1 << 20)
        big = [Member(f"demo/{i}.bin", noise * 150, method=zipfile.ZIP_STORED) for i in range(2)]
        wheel = make_wheel(tmp_path, more=big)
    memory, size = peak(store_dir, wheel)
    assert size > _LIMIT
    assert memory < _LIMIT


def test_one_large_file(tmp_path: Path, store_dir: Path) -> None:
    """A file of zeros, larger than all the memory that may be used."""
    memory, size = peak(store_dir, make_wheel(tmp_path, files={"demo/large.bin": bytes(220 << 20)}))
    assert size > _LIMIT
    assert memory < _LIMIT


def test_adding_again_streams_too(tmp_path: Path, store_dir: Path) -> None:
    wheel = make_wheel(tmp_path, files={"demo/large.bin": bytes(220 << 20)})
    peak(store_dir, wheel)
    memory, _ = peak(store_dir, wheel)
    assert memory < _LIMIT


def test_long_description(tmp_path: Path, store_dir: Path, reliability: Reliability) -> None:
    wheel = make_wheel(tmp_path, metadata=_METADATA + b"\n" + b"It is long.\n" * 8_400_000)
    memory, size = peak(store_dir, wheel)
    assert size > 100_000_000
    assert memory < _LIMIT
    reliability("memory", ("METADATA of 100 MB, a long description", "stored", f"{memory / 1e6:.0f} MB", 0))


def test_too_many_fields(tmp_path: Path, store_dir: Path, reliability: Reliability) -> None:
    wheel = make_wheel(tmp_path, metadata=_METADATA + b"Classifier: It is long\n" * 4_400_000)
    memory, size = peak(store_dir, wheel)
    assert size == 0
    assert memory < _LIMIT
    reliability("memory", ("METADATA of 100 MB, all of it fields", "left to pip", f"{memory / 1e6:.0f} MB", 0))


@pytest.mark.parametrize(("mebibytes", "stored"), [(15, True), (17, False), (70, False)])
def test_long_record(tmp_path: Path, store_dir: Path, mebibytes: int, stored: bool, reliability: Reliability) -> None:
    row = "demo/a/path/of/some/length/{:09d}.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"
    count = (mebibytes << 20) // len(row.format(0))
    wheel = make_wheel(tmp_path, record="".join(map(row.format, range(count))).encode())
    memory, size = peak(store_dir, wheel)
    assert (size > 0) is stored
    assert memory < _LIMIT
    what = "stored" if stored else "left to pip"
    reliability("memory", (f"RECORD of {mebibytes} MiB", what, f"{memory / 1e6:.0f} MB", 0))


def test_too_many_entry_points(tmp_path: Path, store_dir: Path) -> None:
    lines = "".join(f"script{number} = demo:main\n" for number in range(200_000))
    memory, size = peak(store_dir, make_wheel(tmp_path, entry_points=f"[console_scripts]\n{lines}"))
    assert size == 0
    assert memory < _LIMIT
