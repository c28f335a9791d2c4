"""``python -m tests.matrix HOST:TARGET...``: run the suites, and write what ran into a page."""

from __future__ import annotations

import argparse
import datetime
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.matrix.suites import SUITES, Outcome, make_host, of_the_day, run_suite, total
from tests.matrix.table import read_table, write_table
from tests.support.budget import today
from tests.support.interpreters import find_interpreters

if TYPE_CHECKING:
    from collections.abc import Iterator

_ASK: Final = """import platform, sys
print(platform.python_implementation(), platform.python_version() + ("t" if "t" in sys.abiflags else ""))"""
_LEFT: Final = 600  # seconds for the tests that were begun within the time of the usual suite


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.matrix", description=__doc__)
    parser.add_argument("pairs", nargs="+", metavar="HOST:TARGET", help="versions, such as 3.15:3.14")
    parser.add_argument("--suite", action="append", choices=SUITES, help="may be repeated (all of them)")
    parser.add_argument(
        "--usual",
        type=float,
        metavar="SECONDS",
        help="instead: of the usual suite, what begins within that time",
    )
    parser.add_argument("--whole", action="store_true", help="instead: the usual suite to its end")
    parser.add_argument("--prepare", action="store_true", help="only make the hosts' environments")
    parser.add_argument("--ready", action="store_true", help="take the hosts' environments as they are")
    parser.add_argument("--hosts", type=Path, required=True, metavar="DIRECTORY", help="of the hosts' environments")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put what ran into the table of this page")
    parser.add_argument("--workers", type=int, default=2, help="tests that run at a time (2)")
    parser.add_argument("--limit", type=float, default=2400, metavar="SECONDS", help="for one suite (2400)")
    parser.add_argument("--pytest", action="append", default=[], metavar="ARGUMENT", help="for pytest")
    return parser.parse_args()


def main() -> int:
    """Run what the command line names; return 1 where anything failed, was missing or was not finished."""
    options = _parse()
    started = time.monotonic()
    found = find_interpreters()
    lines: list[str] = []
    outcomes: list[Outcome] = []
    absent = False
    pairs: list[tuple[str, str]] = []
    for host, _, target in (pair.partition(":") for pair in options.pairs):
        missing = [version for version in dict.fromkeys((host, target)) if version not in found]
        if missing:
            lines.append(f"host {host}, target {target}: no Python {' and '.join(missing)} here")
            absent = True
        else:
            pairs.append((host, target))
    hosts = {
        host: make_host(options.hosts, found[host], host, ready=options.ready)
        for host in dict.fromkeys(host for host, _ in pairs)
    }
    if not options.prepare:
        run = _usual if options.whole or options.usual is not None else _table
        for line, outcome in run(options, pairs, hosts, found):
            lines.append(f"{line}: {outcome} in {outcome.seconds:.0f} s")
            outcomes.append(outcome)
    print("\n".join(lines))
    if outcomes:
        print(total(outcomes, time.monotonic() - started))
    return 0 if not absent and all(outcome.good for outcome in outcomes) else 1


def _usual(
    options: argparse.Namespace, pairs: list[tuple[str, str]], hosts: dict[str, Path], found: dict[str, Path]
) -> Iterator[tuple[str, Outcome]]:
    """Run the usual suite for each of the *pairs*, which share the time, or to its end."""
    tests, limit, more = ["tests"], options.limit, ["--dist", "worksteal", *options.pytest]
    what = "the usual suite"
    if not options.whole:
        seconds = options.usual / len(pairs)
        tests, limit = of_the_day(today()), seconds + _LEFT
        more += ["--budget", str(seconds), "--in-order"]
        what += f", for {seconds:.0f} s"
    for host, target in pairs:
        print(f"== host {host}, target {target}: {what}", flush=True)
        yield (
            f"host {host}, target {target}",
            run_suite(hosts[host], tests, target, workers=options.workers, limit=limit, more=more),
        )


def _table(
    options: argparse.Namespace, pairs: list[tuple[str, str]], hosts: dict[str, Path], found: dict[str, Path]
) -> Iterator[tuple[str, Outcome]]:
    """Run the suites for each of the *pairs*, and write what ran into the page."""
    cells = read_table(options.write) if options.write is not None else {}
    for host, target in pairs:
        for suite in options.suite or SUITES:
            print(f"== host {host}, target {target}: {suite}", flush=True)
            outcome = run_suite(
                hosts[host],
                SUITES[suite],
                target,
                workers=options.workers,
                limit=options.limit,
                more=options.pytest,
            )
            cells.setdefault((host, target), {})[suite] = str(outcome)
            if options.write is not None:
                named = {version for pair in cells for version in pair if version in found}
                today = datetime.datetime.now().astimezone()
                when = f"Last run on {today:%Y-%m-%d} on {platform.system()} ({platform.machine()})"
                write_table(options.write, cells, {version: _exact(found[version]) for version in named}, when)
            yield f"host {host}, target {target}, {suite}", outcome


def _exact(interpreter: Path) -> str:
    return subprocess.run([interpreter, "-c", _ASK], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
