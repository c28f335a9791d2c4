"""Medians, ratios and targets, computed from the samples of one run. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import linear_regression, median
from typing import TYPE_CHECKING

from .scenarios import LINKED, PEERS, UNSPARED, UV, UV_OFFLINE, VIRTUALENV, Measure, Peer, State

if TYPE_CHECKING:
    from .runner import FloorSample, Results, Sample


@dataclass(frozen=True, slots=True)
class Ratio:
    """linked against a peer: the median of the rounds' ratios, and the ratio of the medians over all rounds."""

    pairs: float
    medians: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    limit: float
    value: float | None  # None: not measured in this run
    rounds: int = 0

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        return "met" if self.value <= self.limit else "missed"


def cell(results: Results, scenario: str, peer: Peer, state: State, measure: Measure) -> list[Sample]:
    """The samples of a table cell, in the order of the rounds."""
    wanted = (scenario, peer.name, peer.effective(state).value, measure.value)
    return [
        sample for sample in results.samples if (sample.scenario, sample.peer, sample.state, sample.measure) == wanted
    ]


def ratio(
    results: Results, scenario: str, peer: Peer, state: State, measure: Measure, *, attribute: str = "session"
) -> Ratio | None:
    """Return linked / ``peer`` by an attribute of the samples, or None without samples of both."""
    ours = {s.round: getattr(s, attribute) for s in cell(results, scenario, LINKED, state, measure)}
    theirs = {s.round: getattr(s, attribute) for s in cell(results, scenario, peer, state, measure)}
    both = [number for number in ours if theirs.get(number)]
    if not both:
        return None
    pairs = median(ours[number] / theirs[number] for number in both)
    return Ratio(pairs, median(ours.values()) / median(theirs.values()), len(both))


_COUNTS = ("files_linked", "files_kept")


@dataclass(frozen=True, slots=True)
class LinkingPhase:
    """The linking phase that linked itself reports for a session, beside the bare loop of the same round.

    Args:
        seconds: that it took.
        linked: files that the session linked.
        kept: files that it took over from a tree made ahead.
        floor: the bare loop.
    """

    seconds: float
    linked: int
    kept: int
    floor: FloorSample

    @property
    def ratio(self) -> float:
        """Seconds per file of the phase over those of the loop: the same as the plain ratio where the files are."""
        loop = self.floor.all
        return (self.seconds / (self.linked + self.kept)) / (loop["seconds"] / loop["files"])


def linking_phases(results: Results, scenario: str, peer: Peer) -> list[LinkingPhase]:
    """One for each round whose warm fresh install was traced with "link_seconds" and "files_linked"."""
    floors = {
        sample.round: sample for sample in results.floors if (sample.scenario, sample.peer) == (scenario, "linked")
    }
    found = []
    for sample in cell(results, scenario, peer, State.FRESH, Measure.INSTALL):
        seconds = sum(float(str(line.get("link_seconds", 0))) for line in sample.trace)
        linked, kept = (sum(int(str(line.get(name, 0))) for line in sample.trace) for name in _COUNTS)
        if seconds and linked + kept and sample.round in floors:
            found.append(LinkingPhase(seconds, linked, kept, floors[sample.round]))
    return found


def memory_over_empty(results: Results, scenario: str) -> tuple[float, float] | None:
    """Median peak memory of nox in MiB: warm fresh install by linked, and an empty session on linked."""
    empty = cell(results, scenario, LINKED, State.FRESH, Measure.EMPTY)
    warm = cell(results, scenario, LINKED, State.FRESH, Measure.INSTALL)
    if not (empty and warm):
        return None
    return median(sample.peak for sample in warm) / 1024, median(sample.peak for sample in empty) / 1024


def growth(results: Results, peer: Peer) -> tuple[dict[int, float], float, float] | None:
    """Median seconds by number of distributions; with the line through them: seconds at none, seconds for each."""
    grown = {sample.scenario for sample in results.samples if sample.scenario.startswith("grow-")}
    points = {}
    for scenario in grown:
        if samples := cell(results, scenario, peer, State.FRESH, Measure.INSTALL):
            points[int(scenario.removeprefix("grow-"))] = median(sample.session for sample in samples)
    if len(points) < 2:
        return None
    line = linear_regression(list(points), list(points.values()))
    return dict(sorted(points.items())), line.intercept, line.slope


def targets(results: Results) -> list[Target]:
    """The figures this project means to reach."""
    rows: list[Target] = []

    def add(name: str, limit: float, scenario: str, peer: Peer, state: State, measure: Measure, what: str) -> None:
        found = ratio(results, scenario, peer, state, measure, attribute=what)
        rows.append(Target(name, limit, found.pairs if found else None, found.rounds if found else 0))

    for name in ("sci", "jl"):
        title = name.upper()
        add(f"{title} fresh, install: / uv", 0.20, name, UV, State.FRESH, Measure.INSTALL, "session")
        add(f"{title} fresh, install: / uv offline", 0.40, name, UV_OFFLINE, State.FRESH, Measure.INSTALL, "session")
        add(
            f"{title} recycled, install: / uv offline",
            0.20,
            name,
            UV_OFFLINE,
            State.RECYCLED,
            Measure.INSTALL,
            "session",
        )
    add("SCI fresh, install and import: / uv", 0.30, "sci", UV, State.FRESH, Measure.IMPORT, "session")
    add("SCI fresh, install and import: / virtualenv", 0.07, "sci", VIRTUALENV, State.FRESH, Measure.IMPORT, "session")
    for name in ("sci", "jl", "web"):
        add(f"{name.upper()} old, install: / uv", 0.60, name, UV, State.OLD, Measure.INSTALL, "session")
        add(f"{name.upper()} later, install: / uv", 0.20, name, UV, State.LATER, Measure.INSTALL, "session")
    for name in ("sci", "jl"):
        for peer, title in ((UNSPARED, "every file linked"), (LINKED, "a spare taken over")):
            phases = linking_phases(results, name, peer)
            value = median(phase.ratio for phase in phases) if phases else None
            rows.append(Target(f"{name.upper()} fresh: linking phase / bare loop, {title}", 1.5, value, len(phases)))
    add("SCI cold, install and import: / virtualenv", 0.60, "sci", VIRTUALENV, State.COLD, Measure.IMPORT, "session")
    add("SCI fresh, install and import: bytes / uv", 0.10, "sci", UV, State.FRESH, Measure.IMPORT, "allocated")
    add("the same, directories left out", 0.10, "sci", UV, State.FRESH, Measure.IMPORT, "allocated_files")
    peaks = memory_over_empty(results, "jl")
    count = len(cell(results, "jl", LINKED, State.FRESH, Measure.EMPTY))
    rows.append(
        Target("JL fresh: peak memory over an empty session, MiB", 60, peaks[0] - peaks[1] if peaks else None, count)
    )
    return rows


def measured_peers(results: Results, scenario: str) -> list[Peer]:
    """The peers with at least one sample, in their usual order."""
    return [peer for peer in PEERS if any((s.scenario, s.peer) == (scenario, peer.name) for s in results.samples)]
