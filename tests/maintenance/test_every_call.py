"""Killed at each file operation, or refused it, whatever is left is right or is made right: all of them, each kind."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.maintenance.operations import OPERATIONS
from tests.maintenance.shim import BEGINS, ENDS, Fault, compiled
from tests.maintenance.tiny import as_json, make_tiny
from tests.support.capabilities import Capability
from tests.support.shared import ROOT, once

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.provision.tool import Site
    from tests.support.reliability import Reliability

pytestmark = [pytest.mark.needs(Capability.CC), pytest.mark.needs(Capability.REMOTE)]

#: Of how many operations one is tried with a fault, other ones each day, so that a day's run is short however long the
#: days' runs together are; ``--thorough`` has all.
_STEPS: Final = {fault.name: 24 if fault in (Fault.KILL, Fault.TORN) else 240 for fault in Fault}


@pytest.fixture(scope="session")
def shim(shared_dir: Path) -> Path:
    """The shim, compiled once for all workers."""

    def make(directory: Path) -> None:
        directory.mkdir()
        compiled(directory)

    return once(shared_dir / "shim", make) / "shim.so"


def _tried(
    here: Site,
    shim: Path,
    name: str,
    *,
    steps: Mapping[str, int] = MappingProxyType({}),
    day: int = 0,
    at: str = "",
    tracer: Sequence[str] = (),
) -> Any:
    """Try faults at each operation whose number a step of *steps* comes to, or whose name and path has *at* in it."""
    make_tiny(here)
    asked = {"site": json.loads(as_json(here)), "steps": dict(steps), "day": day, "at": at}
    done = subprocess.run(
        [*tracer, sys.executable, "-m", "tests.maintenance.trials", name, str(here.root.with_name("log"))],
        cwd=ROOT,
        env={
            **here.environ,
            **({} if tracer else {"LD_PRELOAD": str(shim)}),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_file_operation(
    here: Site, shim: Path, name: str, request: pytest.FixtureRequest, reliability: Reliability
) -> None:
    thorough: bool = request.config.getoption("--thorough")
    steps = dict.fromkeys(_STEPS, 1) if thorough else _STEPS
    day = datetime.datetime.now(datetime.timezone.utc).date().toordinal()
    found = _tried(here, shim, name, steps=steps, day=day)
    print(f"{name}: {len(found['operations'])} operations; tried: {found['tried']}")
    assert found["wrong"] == []
    assert not thorough or found["tried"][Fault.KILL.name] > 0
    counts = [found["tried"].get(fault.name, 0) for fault in Fault]
    reliability("every", (name, len(found["operations"]), *counts, 0))


@pytest.mark.parametrize("name", ["exporting", "remote writing"])
def test_what_cannot_be_read_once_is_not_exported_by_halves(here: Site, shim: Path, name: str) -> None:
    """A note that fails to be read first, and can be read later, is left out with all that only it names."""
    found = _tried(here, shim, name, steps={Fault.EIO.name: 1}, at=r"^(open|read) .*/plans/.*\.cpython-")
    assert found["wrong"] == []
    assert found["tried"][Fault.EIO.name] > 1


#: The calls of the system by which files are opened, read, changed, locked and removed, and what the shim calls them.
_CALLED: Final = {
    "open": ("open", "openat"),
    "read": ("read",),
    "pread64": ("pread64",),
    "write": ("write",),
    "pwrite64": ("pwrite64",),
    "writev": ("writev",),
    "rename": ("rename", "renameat", "renameat2"),
    "link": ("link", "linkat"),
    "symlink": ("symlink", "symlinkat"),
    "unlink": ("unlink", "unlinkat"),
    "rmdir": ("rmdir",),
    "mkdir": ("mkdir", "mkdirat"),
    "chmod": ("chmod", "fchmod", "fchmodat", "fchmodat2"),
    "chown": ("chown", "lchown", "fchown", "fchownat"),
    "utimensat": ("utimensat", "utime", "utimes"),
    "fsync": ("fsync",),
    "fdatasync": ("fdatasync",),
    "ftruncate": ("ftruncate",),
    "truncate": ("truncate",),
    "copy_file_range": ("copy_file_range",),
    "sendfile": ("sendfile",),
    "flock": ("flock",),
    "fcntl": ("fcntl",),
    "access": ("access", "faccessat", "faccessat2"),
}


def _calls(trace: str, root: str) -> Iterator[str]:
    """Yield how the shim names the calls of a *trace* that concern what is below *root*, those of the operation."""
    names = {call: name for name, calls in _CALLED.items() for call in calls}
    operation = "".join(part.partition(ENDS)[0] for part in trace.split(BEGINS)[1:])
    for call, rest in re.findall(r"^\d+ +(\w+)\((.*)", operation, re.MULTILINE):
        rest = re.sub(r"AT_FDCWD<[^>]*>, ", "", rest)
        of = rest.partition(",")[0] if "read" in call or "write" in call else rest.partition(") = ")[0]  # not its bytes
        if root not in of or names.get(call, "access") == "access":
            continue
        if call == "fcntl" and not re.search("F_(OFD_)?SETLKW?,.*(RD|WR)LCK", rest):
            continue
        if call == "flock" and "LOCK_UN" in rest:
            continue
        yield "rmdir" if "AT_REMOVEDIR" in rest else names[call]


@pytest.mark.slow
@pytest.mark.needs(Capability.STRACE)
@pytest.mark.parametrize("name", ["storing", "importing", "repairing"])
def test_the_shim_sees_what_the_system_sees(here: Site, shim: Path, name: str) -> None:
    """Each call of the system is a file operation of the shim, and the other way round."""
    trace = here.root.with_name("trace")
    calls = ",".join(f"?{call}" for called in _CALLED.values() for call in called)
    tracer = ["strace", "-f", "-qq", "-yy", "-s", "300", "-o", str(trace), "-E", f"LD_PRELOAD={shim}"]
    found = _tried(here, shim, name, tracer=[*tracer, "-e", f"trace={calls}"])
    seen = Counter(line.partition(" ")[0] for line in found["operations"])
    assert Counter(_calls(trace.read_text(errors="replace"), str(here.root))) == seen
    assert seen.total() > 100
