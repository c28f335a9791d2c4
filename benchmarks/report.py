"""The report in Markdown, from the results of one run. No I/O."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from .analysis import cell, growth, linking_phases, measured_peers, memory_over_empty, ratio, targets
from .scenarios import JL, LINKED, PEERS, SCI, UNSPARED, UV, UV_OFFLINE, VIRTUALENV, WEB, Measure, Peer, Scenario, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .runner import Results

ROWS = [(state, measure) for state in State for measure in (Measure.INSTALL, Measure.IMPORT)]
INTRODUCTION = """\
# Benchmarks

Made by `python -m benchmarks`, all peers alternately in one run, each through real nox with that `venv_backend`.
Times are the session's duration in nox's own `--report`, unless another is named; a cell holds the median (least to
most). *fresh*: everything warm, no old environment. *recycled*: everything warm, the environment of the last session
stands there. *old*: as fresh, but the resolution is older than its age, and the index says what it said before; uv
and pip ask the index each time, so that their old is their fresh. *later*: as old, for a session before which, in the
same run of nox, another Python's session has installed the same. *cold*: an empty store, the download caches of pip
and uv warm; virtualenv and uv have no store beside their download caches, so their cold is their fresh. Peers: `uv`
as it comes, `uv-offline` with `UV_OFFLINE=1`. Bytecode is written as Python does by default, and all configuration of
pip and uv but certificates is set aside. Only the ratios carry over to another machine.
"""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Median (least to most), or a dash for no values."""
    if not values:
        return "-"
    low, high = min(values), max(values)
    return f"{median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def markdown(results: Results, known: Mapping[str, str]) -> str:
    parts = [INTRODUCTION, "## Machine and versions\n", table(("what", "value"), known.items())]
    rows = [
        (t.name, f"<= {t.limit:g}", "-" if t.value is None else f"{t.value:.2f}", t.verdict, str(t.rounds))
        for t in targets(results)
    ]
    parts += ["## Targets\n", "linked against the peer, median of the rounds' ratios.\n"]
    parts.append(table(("figure", "target", "here", "", "rounds"), rows))
    for scenario in (SCI, JL, WEB):
        if measured_peers(results, scenario.name):
            parts += _scenario(results, scenario)
    parts += _growth(results)
    if results.notes:
        parts += ["## Notes\n", "".join(f"- {note}\n" for note in dict.fromkeys(results.notes))]
    return "\n".join(parts)


def _scenario(results: Results, scenario: Scenario) -> list[str]:
    name, peers = scenario.name, measured_peers(results, scenario.name)
    parts = [f"## {name.upper()}: {' '.join(scenario.arguments)}\n", _contents(results, name)]
    head = ("state, session", *(peer.name for peer in peers))

    def rows(attribute: str, digits: int, scale: float = 1.0) -> list[list[str]]:
        made = []
        for state, measure in ROWS:
            cells = [cell(results, name, peer, state, measure) for peer in peers]
            texts = [spread([getattr(sample, attribute) / scale for sample in samples], digits) for samples in cells]
            if any(cells):
                made.append([f"{state.value}, {measure.value}", *texts])
        return made

    parts += ["Session duration, seconds:\n", table(head, rows("session", 3))]
    others = [peer for peer in peers if peer is not LINKED]
    if LINKED in peers and others:
        parts.append("Ratio linked / peer: median of the rounds' ratios, ratio of the medians (rounds with both):\n")
        ratios = [
            [f"{state.value}, {measure.value}", *(_ratio(results, name, peer, state, measure) for peer in others)]
            for state, measure in ROWS
            if cell(results, name, LINKED, state, measure)
        ]
        parts.append(table(("state, session", *(peer.name for peer in others)), ratios))
    parts += ["Wall time of the whole nox process, seconds:\n", table(head, rows("wall", 3))]
    parts += ["Newly allocated by the session, environment and caches, each inode once, MiB:\n"]
    parts.append(table(head, rows("allocated", 1, 2**20)))
    parts += ["The same without the blocks of directories, MiB:\n", table(head, rows("allocated_files", 1, 2**20))]
    parts += _floor(results, name)
    if background := [s.background for s in results.samples if s.scenario == name and s.background > 0.3]:
        parts.append(f"Work left in the background after {len(background)} sessions: {spread(background, 1)} s.\n")
    if peaks := memory_over_empty(results, name):
        over = peaks[0] - peaks[1]
        text = f"{peaks[0]:.1f} MiB for a fresh install, {peaks[1]:.1f} MiB for an empty session: {over:.1f} MiB more."
        parts.append(f"Peak memory of the nox process on linked (medians): {text}\n")
    return parts


def _ratio(results: Results, scenario: str, peer: Peer, state: State, measure: Measure) -> str:
    found = ratio(results, scenario, peer, state, measure)
    return "-" if found is None else f"{found.pairs:.3f}, {found.medians:.3f} ({found.rounds})"


def _contents(results: Results, scenario: str) -> str:
    """What the peers installed: the number, or the difference, of their distributions without the seeds."""
    kinds: dict[frozenset[tuple[str, str]], list[str]] = {}
    for peer, found in results.contents.get(scenario, {}).items():
        packages = frozenset((name, version) for name, version in found.items() if name not in ("pip", "setuptools"))
        kinds.setdefault(packages, []).append(peer)
    if len(kinds) == 1:
        return f"{len(next(iter(kinds)))} distributions, the same in every peer's environment.\n"
    common = frozenset.intersection(*kinds) if kinds else frozenset()
    lines = (
        f"{', '.join(peers)}: {len(packages)} distributions, of which only there: {sorted(packages - common)}\n"
        for packages, peers in kinds.items()
    )
    return "The peers did not install the same distributions.\n" + "".join(lines)


def _floor(results: Results, scenario: str) -> list[str]:
    floors = [sample for sample in results.floors if sample.scenario == scenario]
    if not floors:
        return []
    rows = []
    for title, loops in (
        ("mkdir and link loop", [sample.all for sample in floors]),
        ("the same without bytecode", [sample.without_bytecode for sample in floors]),
    ):
        counts = (str(int(loops[-1][what])) for what in ("files", "directories"))
        rows.append((title, spread([loop["seconds"] * 1000 for loop in loops], 1), *counts, ""))
    for peer in (UNSPARED, LINKED):
        if phases := linking_phases(results, scenario, peer):
            times = spread([phase.seconds * 1000 for phase in phases], 1)
            quotient = spread([phase.ratio for phase in phases], 2)
            files = f"{phases[-1].linked} linked, {phases[-1].kept} taken over"
            rows.append((f"linking phase of {peer.name}", times, files, "", quotient))
    return [
        f"The floor: a bare loop over the site-packages that {floors[0].peer} has just made (ratio: per file).\n",
        table(("loop", "milliseconds", "files", "directories", "ratio to the loop"), rows),
    ]


def _growth(results: Results) -> list[str]:
    found = {peer: line for peer in PEERS if (line := growth(results, peer))}
    if not found:
        return []
    counts = sorted({count for points, _, _ in found.values() for count in points})
    rows = [
        [
            peer.name,
            *(f"{points[count]:.3f}" if count in points else "-" for count in counts),
            f"{intercept:.3f}",
            f"{slope * 1000:.2f}",
        ]
        for peer, (points, intercept, slope) in found.items()
    ]
    head = ("peer", *map(str, counts), "s at none", "ms for each")
    parts = [
        "## Growth\n",
        "Seconds to install so many generated distributions of 20 files (fresh, no index), medians, and the line.\n",
        table(head, rows),
    ]
    ratios = []
    for other in (UV, UV_OFFLINE, VIRTUALENV):
        cells = [_ratio(results, f"grow-{count}", other, State.FRESH, Measure.INSTALL) for count in counts]
        if any(text != "-" for text in cells):
            ratios.append([f"linked / {other.name}", *cells])
    if ratios:
        parts.append(table(("ratio", *map(str, counts)), ratios))
    return parts
