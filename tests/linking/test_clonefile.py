"""macOS's clonefile, by a stand-in: a library that has a function of this name, loaded before all others."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.shared import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the stand-in is loaded by LD_PRELOAD"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
]

#: As clonefile(2): the target must not exist, and gets content and mode; flags are 0.  A name with "refuse" is refused.
_SOURCE = """
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int clonefile(const char *source, const char *target, uint32_t flags)
{
    char buffer[4096];
    struct stat status;
    ssize_t count;
    int reader, writer;
    if (flags != 0) { errno = EINVAL; return -1; }
    if (strstr(target, "refuse")) { errno = ENOTSUP; return -1; }
    if ((reader = open(source, O_RDONLY)) < 0 || fstat(reader, &status) < 0) return -1;
    if ((writer = open(target, O_WRONLY | O_CREAT | O_EXCL, status.st_mode & 0777)) < 0) return -1;
    while ((count = read(reader, buffer, sizeof buffer)) > 0)
        if (write(writer, buffer, count) != count) return -1;
    close(reader);
    return close(writer);
}
"""
_PROGRAM = """
import sys
sys.platform = "darwin"  # after everything has been imported for the system that it is
from nox_linkenv.linking.clone import clone_file
try:
    clone_file(*sys.argv[1:])
except OSError as error:
    print(error.errno, error.filename, error.filename2)
else:
    print("cloned")
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("clonefile")
    (place / "clonefile.c").write_text(_SOURCE)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "clonefile.so", "clonefile.c"], cwd=place, check=True)
    return place / "clonefile.so"


def _clone(library: Path, source: Path, target: Path) -> str:
    environ = os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", f"import ctypes, contextlib, errno, os\n{_PROGRAM}", str(source), str(target)]
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout.strip()


def test_a_clone_has_content_mode_and_time(library: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "söurce", tmp_path / "target"
    source.write_bytes(b"content")
    source.chmod(0o755)
    os.utime(source, ns=(1, 1_000_000_001))
    assert _clone(library, source, target) == "cloned"
    assert target.read_bytes() == b"content"
    assert target.stat().st_mode == source.stat().st_mode
    assert target.stat().st_mtime_ns == 1_000_000_001
    assert target.stat().st_ino != source.stat().st_ino


@pytest.mark.parametrize(("name", "number"), [("refused", errno.ENOTSUP), ("there", errno.EEXIST)])
def test_a_refusal_says_why_and_leaves_nothing(library: Path, tmp_path: Path, name: str, number: int) -> None:
    source, target = tmp_path / "source", tmp_path / name
    source.write_bytes(b"content")
    (tmp_path / "there").write_bytes(b"before")
    assert _clone(library, source, target) == f"{number} {source} {target}"
    assert (tmp_path / "there").read_bytes() == b"before"
    assert not (tmp_path / "refused").exists()
