"""``python -m benchmarks``: measure all peers alternately in one run and print medians, ratios and targets.

Every peer runs through real nox, as sessions of a noxfile a user could have written; times are the session's duration
in nox's own ``--report``. Caches, stores and environments live in the work directory, on one file system; what is in
them from an earlier run is used again. Nothing is a gate: a missed target is printed, and the status stays 0.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from .measure import facts
from .report import markdown
from .runner import Bench, FloorSample, Options, Results, Sample
from .scenarios import GROW_COUNTS, JL, PEERS, SCI, WEB, Measure, Scenario, State, grow_scenario
from .wheels import write_wheel

MEASURES = {"install": Measure.INSTALL, "import": Measure.IMPORT}
SCENARIOS = ("sci", "jl", "web", "grow")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = made.add_argument
    add("--scenario", action="append", choices=SCENARIOS, help="may be repeated (all)")
    add("--state", action="append", choices=[state.value for state in State], help="may be repeated (all)")
    add("--measure", action="append", choices=list(MEASURES), help="may be repeated (both)")
    add("--peer", action="append", choices=[peer.name for peer in PEERS], help="may be repeated (all)")
    add("--runs", type=int, default=7, metavar="N", help="rounds (7)")
    add("--runs-virtualenv", type=int, default=3, metavar="N", help="rounds which virtualenv takes part in (3)")
    add(
        "--count",
        action="append",
        type=int,
        metavar="N",
        help="distributions for grow, may be repeated (10 50 200 400)",
    )
    add("--python", default="3.12", metavar="X.Y", help="interpreter of the sessions (3.12)")
    add("--work", type=Path, default=Path(".benchmarks"), metavar="DIR", help="work directory, kept (.benchmarks)")
    add("--json", type=Path, metavar="FILE", help="write every sample and the facts about the machine")
    add("--markdown", type=Path, metavar="FILE", help="write the report that is printed")
    add(
        "--from",
        dest="sources",
        action="append",
        type=Path,
        metavar="FILE",
        help="measure nothing: report on a --json file; may be repeated for runs on one machine",
    )
    return made


def scenarios(names: list[str], counts: list[int], work: Path) -> list[Scenario]:
    chosen = [scenario for scenario in (SCI, JL, WEB) if scenario.name in names]
    if "grow" in names:
        wheels = work / "wheels"
        wheels.mkdir(parents=True, exist_ok=True)
        grown = [grow_scenario(count, wheels) for count in counts]
        for name in {name for scenario in grown for name in scenario.imports}:
            write_wheel(wheels, name)
        chosen += grown
    return chosen


def stored(files: list[Path]) -> tuple[Results, dict[str, str]]:
    """Return the results of some runs, and the facts of the last one; rounds of different runs are never paired."""
    results, known, first = Results(), {}, 0
    for file in files:
        data = json.loads(file.read_text(encoding="utf-8"))
        results.samples += [Sample(**{**sample, "round": sample["round"] + first}) for sample in data["samples"]]
        results.floors += [FloorSample(**{**sample, "round": sample["round"] + first}) for sample in data["floors"]]
        results.contents |= data["contents"]
        results.notes += data["notes"]
        known = data["facts"]
        first = 1 + max((sample.round for sample in results.samples), default=0)
    return results, known


def main() -> int:
    arguments = parser().parse_args()
    if arguments.sources:
        results, known = stored(arguments.sources)
    else:
        options = Options(
            work=arguments.work.resolve(),
            python=arguments.python,
            states=tuple(state for state in State if not arguments.state or state.value in arguments.state),
            measures=tuple(MEASURES[name] for name in arguments.measure or MEASURES),
            runs=arguments.runs,
            runs_virtualenv=arguments.runs_virtualenv,
        )
        bench = Bench(options, lambda text: print(text, file=sys.stderr, flush=True))
        peers = tuple(peer for peer in PEERS if not arguments.peer or peer.name in arguments.peer)
        results = bench.results
        try:
            for scenario in scenarios(
                arguments.scenario or list(SCENARIOS), arguments.count or list(GROW_COUNTS), options.work
            ):
                bench.run(scenario, peers)
        except KeyboardInterrupt:
            results.notes.append("interrupted: the rounds so far")
        known = facts(options.work) | {"Python of the sessions": options.python}
    if arguments.json:
        text = json.dumps({"facts": known, **asdict(results)}, indent=1)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    report = markdown(results, known)
    if arguments.markdown:
        arguments.markdown.write_text(report, encoding="utf-8")
    print(report, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
