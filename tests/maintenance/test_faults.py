"""Whatever operation a process is killed at, or refused by the system, the next run is right, and the store is well."""

from __future__ import annotations

import enum
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.cli.tool import linkenv
from tests.provision.tool import tree
from tests.support.capabilities import Capability
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.provision.tool import Site

pytestmark = pytest.mark.needs(Capability.STRACE)

#: The calls by which files are made, changed and removed.
_CALLS: Final = (
    "openat,write,pwrite64,copy_file_range,sendfile,ftruncate,link,linkat,symlink,symlinkat,rename,renameat,renameat2,"
    "unlink,unlinkat,mkdir,mkdirat,rmdir,chmod,fchmod,fchmodat,utimensat,fsync,fdatasync,ioctl"
)
#: Every so manieth of them is tried.
_STEP: Final = 5


class _Fault(enum.Enum):
    KILL = "signal=KILL"
    FAILING = "error=EIO"
    FULL = "error=ENOSPC"


@dataclass(frozen=True, slots=True)
class _Ground:
    """A store and an environment as they stand before one operation, ``linkenv install``.

    Attributes:
        kept: a copy of both.
        want: what the environment holds when all is well.
    """

    site: Site
    prefix: Path
    arguments: tuple[str, ...]
    kept: Path
    want: dict[str, tuple[object, ...]]

    @classmethod
    def make(cls, site: Site, *, stored: bool) -> _Ground:
        """Make one where the wheel is stored already, or is not."""
        wheel = make_wheel(
            site.wheels, "tiny", "1.0", {"tiny/__init__.py": b"V = 1\n", "tiny/more.py": b"W = 2\n" * 40}
        )
        prefix, kept = site.root / "env", site.root / "kept"
        arguments = ("install", str(prefix), "--", "--no-deps", "--no-index", str(wheel))
        linkenv(site, "create", str(prefix))
        linkenv(site, "wait")
        if not stored:
            _copy(site, prefix, kept)
        linkenv(site, *arguments)
        want = _contents(prefix)
        linkenv(site, "create", str(prefix))
        linkenv(site, "wait")
        if stored:
            _copy(site, prefix, kept)
        return cls(site, prefix, arguments, kept, want)

    def restore(self) -> None:
        for name, place in (("store", self.site.store), ("env", self.prefix)):
            shutil.rmtree(place)
            subprocess.run(["cp", "-a", self.kept / name, place], check=True)

    def calls(self) -> Iterator[tuple[str, int]]:
        """Yield the calls that concern the store or the environment: the name, and the how manieth it is."""
        trace = self.site.root / "trace"
        done = self._under("-s", "500", "-yy", "-o", str(trace), "-e", f"trace={_CALLS}")
        assert done.returncode == 0, done.stderr
        count: Counter[tuple[str, str]] = Counter()
        seen = set()
        for process, name, rest in re.findall(r"^(\d+) +(\w+)\((.*)", trace.read_text(errors="replace"), re.MULTILINE):
            count[process, name] += 1
            call = (name, count[process, name])
            ours = str(self.site.root) in rest and (name != "openat" or "O_CREAT" in rest)
            if ours and call not in seen:
                seen.add(call)
                yield call

    def fail_at(self, name: str, count: int, fault: _Fault) -> None:
        """Do the operation with *fault* at one of its calls; what is left must be right, or be made right."""
        self.restore()
        done = self._under("-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:{fault.value}:when={count}")
        where = f"{fault.name} at {name} {count}:\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, where
        if fault is not _Fault.KILL:
            assert done.returncode in (0, 1), where
        if done.returncode == 0:
            assert _contents(self.prefix) == self.want, where
        linkenv(self.site, "create", "--force", str(self.prefix))
        linkenv(self.site, *self.arguments)
        assert _contents(self.prefix) == self.want, where
        linkenv(self.site, "verify", "--full", "--repair", code=None)
        linkenv(self.site, "verify", "--full")

    def _under(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = ["strace", "-f", "-qq", *options, sys.executable, "-m", "nox_linkenv", *self.arguments]
        return subprocess.run(
            command,
            cwd=self.site.project,
            env={**self.site.environ, "LINKENV_STORE": str(self.site.store)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def _contents(prefix: Path) -> dict[str, tuple[object, ...]]:
    """Return what stands in the environment: copies of a store have other inodes."""
    return {name: (*entry[:3], *entry[4:]) for name, entry in tree(prefix).items()}


def _copy(site: Site, prefix: Path, kept: Path) -> None:
    kept.mkdir()
    subprocess.run(["cp", "-a", site.store, kept / "store"], check=True)
    subprocess.run(["cp", "-a", prefix, kept / "env"], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("fault", _Fault, ids=lambda fault: fault.name)
@pytest.mark.parametrize("stored", [False, True], ids=["storing", "linking"])
def test_at_every_call(here: Site, fault: _Fault, stored: bool) -> None:
    ground = _Ground.make(here, stored=stored)
    calls = list(ground.calls())[::_STEP]
    assert len(calls) >= 8
    for name, count in calls:
        ground.fail_at(name, count, fault)


def test_a_failing_disk_is_told_in_one_line(here: Site) -> None:
    ground = _Ground.make(here, stored=True)
    ground.fail_at("write", 1, _Fault.FAILING)
    ground.restore()
    done = ground._under("-o", "/dev/null", "-e", "trace=write", "-e", "inject=write:error=EIO:when=1")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("linkenv: The system refuses a file (Input/output error)")
    assert line.endswith("The disk, or the way to it, fails: the system's log says more.")
