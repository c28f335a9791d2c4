"""Many processes on one store for a long time: made, recycled, edited, pruned, verified, hashed, killed at any moment.

Some of them have a clock that is wrong.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

from tests.cli.tool import answer, linkenv
from tests.provision.tool import changed_objects, put_wheel

if TYPE_CHECKING:
    from tests.provision.tool import Site
    from tests.support.reliability import Reliability

#: At one time.
_PROCESSES: Final = 16
_NAMES: Final = [f"part{number}" for number in range(6)]
#: Begins a process whose clock is so many seconds ahead; files have the dates of the system's.
_CLOCK: Final = """
import sys, time
step, right = float(sys.argv.pop(1)), time.time
time.time = lambda: right() + step
"""
_COMMAND: Final = f"""{_CLOCK}
from nox_linkenv.cli import main
sys.exit(main())
"""
#: All of it, as after a day without sessions.
_REHASH: Final = f"""{_CLOCK}
from nox_linkenv.maintenance.rehash import rehash
from nox_linkenv.store import Store
rehash(Store.open(sys.argv[1]), now=time.time() + 90_000)
"""
#: Most clocks are right; others were set back by a day, or ahead by an hour or a year.
_STEPS: Final = (0.0,) * 7 + (-86_400.0, 3600.0, 365 * 86_400.0)
#: Of how many environments that are made one has a file edited through its link, half of these with its old date.
_EDITED: Final = 4
#: How many of ten are killed.
_KILLED: Final = 4
#: Seconds after which a process hangs, on a machine that is busy.
_LONG: Final = 900


class _Worker:
    """What is done at one place: one process after the other, some of which are killed."""

    def __init__(self, site: Site, number: int) -> None:
        self.site = site
        self.place = site.place(f"env-{number}")
        self.chosen = random.Random(number)
        self.counts: Counter[str] = Counter()
        self.process: subprocess.Popen[str] | None = None
        self.kind = ""
        self.wanted: list[str] = []
        self.killed_at = 0.0
        self.until = 0.0

    def begin(self) -> None:
        """Start another process."""
        wanted = sorted(self.chosen.sample(_NAMES, 2))
        with_them = [word for name in wanted for word in ("--with", name)]
        create = ["create", self.place.prefix, "--python", str(self.site.interpreter), *with_them]
        commands = {
            "create": create,
            "recycle": create,
            "prune": ["prune", "--unused", "--grace", "60s"],
            "verify": ["verify"],
            "info": ["info"],
            "wait": ["wait", "--timeout", "30s"],
            "rehash": [],
        }
        weights = (4, 4, 1, 1, 1, 1, 1)
        (self.kind,) = self.chosen.choices([*commands], weights)
        if self.kind == "create":
            shutil.rmtree(self.place.prefix, ignore_errors=True)
        step = self.chosen.choice(_STEPS)
        self.counts["stepped"] += step != 0.0
        self.wanted = wanted
        command = [sys.executable, "-c", _COMMAND, str(step), *commands[self.kind]]
        if self.kind == "rehash":
            command = [sys.executable, "-c", _REHASH, str(step), str(self.site.store)]
        self.process = subprocess.Popen(
            command,
            cwd=self.site.project,
            env={**self.site.environ, "LINKENV_STORE": str(self.site.store)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        now = time.monotonic()
        self.killed_at = now + self.chosen.uniform(0.05, 3.0) if self.chosen.randrange(10) < _KILLED else 0.0
        self.until = now + _LONG

    def look(self) -> bool:
        """Kill the process if it is time; return whether it has ended, as it should have."""
        assert self.process is not None
        if self.process.poll() is None:
            now = time.monotonic()
            assert now < self.until, f"{self.kind} hangs"
            if self.killed_at and now > self.killed_at:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
            return False
        out, err = self.process.communicate()
        code = self.process.returncode
        where = f"{self.kind} ended with {code}\n{out}\n{err}"
        assert "Traceback" not in err, where
        if code == -signal.SIGKILL:
            self.counts["killed"] += 1
        else:
            # An environment may hold an edit that another place has made; verifying says what is damaged.
            assert code == 0 or self.kind == "verify", where
            self.counts[self.kind] += 1
            if self.kind in ("create", "recycle"):
                self._made()
        return True

    def _made(self) -> None:
        """See that the environment holds what was written, or what a session has edited through a link; edit it."""
        for name in self.wanted:
            found = (self.place.packages / name / "core.py").read_bytes()
            right = _core(_NAMES.index(name))
            assert found == right or (found.startswith(_EDIT) and found[len(_EDIT) :] == right[len(_EDIT) :]), found
        if self.chosen.randrange(_EDITED) == 0:
            path = self.place.packages / self.wanted[0] / "core.py"
            status = path.stat()
            with open(path, "r+b") as stream:
                stream.write(_EDIT)
            if self.chosen.randrange(2):
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            self.counts["edited"] += 1


#: What an edit writes over the beginning of a file.
_EDIT: Final = b"EDITED = 1"


def _core(number: int) -> bytes:
    return f"number = {number}\n".encode() * (50 + number)


@pytest.mark.slow
def test_soak(here: Site, request: pytest.FixtureRequest, reliability: Reliability) -> None:
    seconds: float = request.config.getoption("--soak")
    for number, name in enumerate(_NAMES):
        files: dict[str, bytes | str] = {
            f"{name}___core__py": _core(number),
            f"{name}___data__bin": random.Random(number).randbytes(20_000),
        }
        put_wheel(here.wheels, name, **files)
    workers = [_Worker(here, number) for number in range(_PROCESSES)]
    until = time.monotonic() + seconds
    for worker in workers:
        worker.begin()
    running = list(workers)
    while running:
        time.sleep(0.05)
        for worker in list(running):
            if worker.look():
                if time.monotonic() < until:
                    worker.begin()
                else:
                    running.remove(worker)
    counts = sum((worker.counts for worker in workers), Counter[str]())
    print(f"{seconds:g} s: {dict(counts)}", file=sys.stderr)
    assert counts["create"] + counts["recycle"] > 0
    _settle(here)
    kinds = ("create", "recycle", "edited", "prune", "verify", "rehash", "stepped", "killed")
    reliability("soak", (f"{seconds:g} s", _PROCESSES, *(counts[kind] for kind in kinds), 0))


def _settle(site: Site) -> None:
    """All that is left behind goes by the usual commands, and what is there is right."""
    linkenv(site, "wait", "--timeout", "120s")
    linkenv(site, "verify", "--full", "--repair", code=None)
    assert answer(site, "verify", "--full")["findings"] == []
    assert changed_objects(site.base) == []
    place = site.place("last")
    place.session(_NAMES, run="; ".join(f"import {part}.core" for part in _NAMES))
    for number, part in enumerate(_NAMES):
        assert (place.packages / part / "core.py").read_bytes() == _core(number)
    linkenv(site, "prune", "--unused", "--grace", "0s")
    assert list((site.base / "staging").iterdir()) == []
    assert answer(site, "verify", "--full")["findings"] == []
