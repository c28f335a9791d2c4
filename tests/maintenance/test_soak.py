"""A long run of many processes on one store: made, recycled, pruned, verified, hashed, and killed at any moment."""

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
_PROCESSES: Final = 4
_NAMES: Final = [f"part{number}" for number in range(6)]
#: All of it, as after a day without sessions.
_REHASH: Final = """
import sys, time
from nox_linkenv.maintenance.rehash import rehash
from nox_linkenv.store import Store
rehash(Store.open(sys.argv[1]), now=time.time() + 90_000)
"""
#: How many of ten are killed.
_KILLED: Final = 4
#: Seconds after which a process hangs, on a machine that is busy.
_LONG: Final = 180


class _Worker:
    """What is done at one place: one process after the other, some of which are killed."""

    def __init__(self, site: Site, number: int) -> None:
        self.site = site
        self.place = site.place(f"env-{number}")
        self.chosen = random.Random(number)
        self.counts: Counter[str] = Counter()
        self.process: subprocess.Popen[str] | None = None
        self.kind = ""
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
        command = [sys.executable, "-m", "nox_linkenv", *commands[self.kind]]
        if self.kind == "rehash":
            command = [sys.executable, "-c", _REHASH, str(self.site.store)]
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
        return True


@pytest.mark.slow
def test_soak(here: Site, request: pytest.FixtureRequest, reliability: Reliability) -> None:
    seconds: float = request.config.getoption("--soak")
    for number, name in enumerate(_NAMES):
        files: dict[str, bytes | str] = {
            f"{name}___core__py": f"number = {number}\n" * (50 + number),
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
    kinds = ("create", "recycle", "prune", "verify", "rehash", "killed")
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
        assert (place.packages / part / "core.py").read_text() == f"number = {number}\n" * (50 + number)
    linkenv(site, "prune", "--unused", "--grace", "0s")
    assert list((site.base / "staging").iterdir()) == []
    assert answer(site, "verify", "--full")["findings"] == []
