"""Runs nox: primes each peer, then measures all peers alternately, one sample after the other."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import floor
from .measure import allocated, await_quiet, distributions, neutral_environment, site_packages
from .scenarios import LINKED, SESSION, UV_OFFLINE, VIRTUALENV, Measure, Peer, Scenario, State, noxfile_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

RENEW_AFTER = 240.0  # seconds; a resolution may be reused for 600, and a sample of the warm state must be younger


AGED = (State.OLD, State.LATER)
AGE = 2.0  # seconds after which a resolution counts as old in these states


class SessionFailedError(Exception):
    """nox refused the backend or the session failed; the text is the end of what nox said."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured session. Times in seconds, ``allocated`` in bytes, ``peak`` in KiB of the nox process."""

    scenario: str
    peer: str
    state: str
    measure: str
    round: int
    session: float
    wall: float
    allocated: int
    allocated_files: int  # the same without the blocks of directories
    background: float
    peak: int
    trace: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class FloorSample:
    """One pass of the bare loop over the environment that ``peer`` has just made in the same round."""

    scenario: str
    peer: str
    round: int
    all: dict[str, float]
    without_bytecode: dict[str, float]


@dataclass(slots=True)
class Results:
    samples: list[Sample] = field(default_factory=list)
    floors: list[FloorSample] = field(default_factory=list)
    contents: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)  # scenario, peer: distributions
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Options:
    work: Path
    python: str
    states: tuple[State, ...]
    measures: tuple[Measure, ...]
    runs: int
    runs_virtualenv: int


class Bench:
    """One benchmark run: everything it writes is below ``options.work``, which is kept for the next."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self.options = options
        self.say = say
        self.results = Results()
        self._marker = uuid.uuid4().hex
        self._renewed: dict[str, float] = {}
        options.work.mkdir(parents=True, exist_ok=True)
        (options.work / ".gitignore").write_text("*\n", encoding="utf-8")

    def run(self, scenario: Scenario, peers: tuple[Peer, ...]) -> None:
        """Prime, then measure ``scenario``: for each round, state and measure all peers in turn."""
        peers = tuple(peer for peer in peers if self._prime(scenario, peer))
        cells = [(State.FRESH, Measure.INSTALL)]
        if not scenario.grows:
            cells = [
                (state, measure)
                for state in self.options.states
                for measure in self.options.measures
                if measure is Measure.INSTALL or state not in AGED  # the rest of the session is as that of a fresh one
            ]
            if LINKED in peers and State.FRESH in self.options.states:
                cells.append((State.FRESH, Measure.EMPTY))
        for number in range(self.options.runs):
            done: set[tuple[Peer, State, Measure]] = set()
            for state, measure in cells:
                for peer in peers:
                    cell = (peer, peer.effective(state), measure)
                    limited = peer is VIRTUALENV and number >= self.options.runs_virtualenv
                    if limited or cell in done or (measure is Measure.EMPTY and peer is not LINKED):
                        continue
                    done.add(cell)
                    self._sample(scenario, *cell, number)
                    if peer is peers[0] and cell[1:] == (State.FRESH, Measure.INSTALL):
                        self._floor(scenario, peer, number)

    def _prime(self, scenario: Scenario, peer: Peer) -> bool:
        """Warm every cache of ``peer``, twice where the first session teaches the store something; False if refused."""
        extra = {"UV_OFFLINE": "false"} if peer is UV_OFFLINE else {}
        try:
            state = State.LATER if State.LATER in self.options.states and not scenario.grows else State.FRESH
            for _ in range(2 if peer.linked else 1):
                self._remove(self._root(scenario, peer, state) / "envs")
                self._nox(scenario, peer, state, _warming(scenario), {**extra, "LINKENV_RESOLUTION_AGE": "600"})
        except SessionFailedError as error:
            self._note(f"{scenario.name}: {peer.name} left out: {error}")
            return False
        self._renewed[f"{scenario.name} {peer.name}"] = time.monotonic()
        environment = self._environment(scenario, peer)
        self.results.contents.setdefault(scenario.name, {})[peer.name] = distributions(environment)
        return True

    def _sample(self, scenario: Scenario, peer: Peer, state: State, measure: Measure, number: int) -> None:
        root = self._root(scenario, peer, state)
        try:
            self._prepare(scenario, peer, state)
            before = allocated(self._trees(root, peer, state))
            session, wall, background = self._nox(scenario, peer, state, measure, {})
            after = allocated(self._trees(root, peer, state))
        except SessionFailedError as error:
            self._note(f"{scenario.name}: {peer.name}, {state.value}, {measure.value}, round {number}: {error}")
            return
        trace = root / "trace.jsonl"
        sample = Sample(
            scenario.name, peer.name, state.value, measure.value, number, session, wall,
            after[0] - before[0], after[1] - before[1], background, int((root / "peak").read_text()),
            [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()] if trace.exists() else [],
        )  # fmt: skip
        self.results.samples.append(sample)
        self.say(
            f"{scenario.name:8} {number + 1}/{self.options.runs} {state.value:8} {measure.value:18} {peer.name:15}"
            f" {session:7.3f} s (nox {wall:.3f} s) {sample.allocated / 2**20:7.1f} MiB"
        )
        if peer.linked and state is not State.COLD and "asked pip" in (root / "log").read_text(errors="replace"):
            self._note(f"{scenario.name}: a warm sample of linked asked pip (round {number}, {measure.value})")

    def _prepare(self, scenario: Scenario, peer: Peer, state: State) -> None:
        """Bring the disk into ``state``; the file system's own backlog is written out before the clock starts."""
        root = self._root(scenario, peer, state)
        key = f"{scenario.name} {peer.name}"
        if peer.linked and state is not State.COLD and time.monotonic() - self._renewed[key] > RENEW_AFTER:
            self._nox(scenario, peer, state, _warming(scenario), {"LINKENV_RESOLUTION_AGE": "0"})
            self._renewed[key] = time.monotonic()
        if state is State.RECYCLED:
            if not self._environment(scenario, peer).exists():
                self._nox(scenario, peer, state, _warming(scenario), {})
        else:
            self._remove(root / "envs")
        if state is State.COLD:
            self._remove(self._store(peer, state))
        if hasattr(os, "sync"):
            os.sync()
        if peer.linked and state in AGED:
            time.sleep(AGE)

    def _nox(
        self, scenario: Scenario, peer: Peer, state: State, measure: Measure, extra: Mapping[str, str]
    ) -> tuple[float, float, float]:
        """One nox process: session duration by nox's own report, wall time, time that background work went on."""
        root = self._root(scenario, peer, state)
        root.mkdir(parents=True, exist_ok=True)
        noxfile, report = root / f"noxfile-{measure.name.lower()}.py", root / "report.json"
        noxfile.write_text(
            noxfile_text(
                scenario, peer.backend, measure, self.options.python, root / "peak", queue=state is State.LATER
            ),
            encoding="utf-8",
        )
        for path in (report, root / "trace.jsonl"):
            path.unlink(missing_ok=True)
        command = [sys.executable, "-m", "nox", "-f", str(noxfile), "--envdir", str(root / "envs")]
        command += ["--report", str(report), "--error-on-missing-interpreters"]
        with (root / "log").open("wb") as log:
            start = time.perf_counter()
            status = subprocess.run(
                command, cwd=root, env={**self._variables(peer, state, root), **extra}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, check=False,
            ).returncode  # fmt: skip
            wall = time.perf_counter() - start
        background = await_quiet(self._marker)
        if status != 0 or not report.exists():
            lines = (root / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            told = [line for line in lines if "rror" in line or "not recognized" in line or "xpected" in line] or lines
            last = (told or [f"nox ended with {status}"])[-1].strip()
            raise SessionFailedError(re.sub(r"(?<![\w.])/(?:[^\s/'\"]+/)+", "", last))  # names no one's directories
        return json.loads(report.read_text(encoding="utf-8"))["sessions"][-1]["duration"], wall, background

    def _variables(self, peer: Peer, state: State, root: Path) -> dict[str, str]:
        caches = self.options.work / "caches"
        return {
            **neutral_environment(),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_CACHE_DIR": str(caches / "pip"),
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(caches / "uv"),
            "VIRTUALENV_OVERRIDE_APP_DATA": str(caches / "virtualenv"),
            "XDG_CONFIG_HOME": str(self.options.work / "no-configuration"),
            "LINKENV_STORE": str(self._store(peer, state)),
            "LINKENV_TRACE": str(root / "trace.jsonl"),
            "LINKENV_NOX_HOOK": "1" if peer.linked else "0",  # the others: nox as it is without this project
            "BENCHMARK_MARKER": self._marker,
            **({"LINKENV_RESOLUTION_AGE": str(AGE)} if state in AGED else {}),
            **dict(peer.environment),
        }

    def _floor(self, scenario: Scenario, peer: Peer, number: int) -> None:
        if (site := site_packages(self._environment(scenario, peer))) is None:
            return
        target = self._root(scenario, peer, State.FRESH) / "floor"
        self._remove(target)
        command = [sys.executable, floor.__file__, str(site), str(target)]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        self.results.floors.append(FloorSample(scenario.name, peer.name, number, **found))

    def _root(self, scenario: Scenario, peer: Peer, state: State) -> Path:
        """Cold samples have their own directory: what another store linked is not the old environment of a warm one."""
        return self.options.work / scenario.name / (f"{peer.name}-cold" if state is State.COLD else peer.name)

    def _store(self, peer: Peer, state: State) -> Path:
        return self.options.work / ("store-cold" if state is State.COLD else "store")

    def _environment(self, scenario: Scenario, peer: Peer) -> Path:
        return self._root(scenario, peer, State.FRESH) / "envs" / SESSION

    def _trees(self, root: Path, peer: Peer, state: State) -> list[Path]:
        stores = [self._store(peer, state)] if peer.linked else []
        return [root / "envs", self.options.work / "caches", *stores]

    def _note(self, text: str) -> None:
        self.results.notes.append(text)
        self.say(text)

    @staticmethod
    def _remove(tree: Path) -> None:
        shutil.rmtree(tree, ignore_errors=True)


def _warming(scenario: Scenario) -> Measure:
    """What an unmeasured session does: all that a measured one will do."""
    return Measure.INSTALL if scenario.grows else Measure.IMPORT
