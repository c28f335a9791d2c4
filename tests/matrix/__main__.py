"""``python -m tests.matrix HOST:TARGET...``: run the suites, and write what ran into a page."""

from __future__ import annotations

import argparse
import datetime
import platform
import subprocess
import sys
from pathlib import Path

from tests.matrix.suites import SUITES, make_host, run_suite
from tests.matrix.table import read_table, write_table
from tests.support.interpreters import find_interpreters

_ASK = "import platform; print(platform.python_implementation(), platform.python_version())"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.matrix", description=__doc__)
    parser.add_argument("pairs", nargs="+", metavar="HOST:TARGET", help="versions, such as 3.15:3.14")
    parser.add_argument("--suite", action="append", choices=SUITES, help="may be repeated (all of them)")
    parser.add_argument("--hosts", type=Path, required=True, metavar="DIRECTORY", help="of the hosts' environments")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put what ran into the table of this page")
    parser.add_argument("--workers", type=int, default=2, help="tests that run at a time (2)")
    parser.add_argument("--limit", type=float, default=2400, metavar="SECONDS", help="for one suite (2400)")
    parser.add_argument("--pytest", action="append", default=[], metavar="ARGUMENT", help="for pytest")
    return parser.parse_args()


def main() -> int:
    """Run what the command line names; return 1 where anything failed, was missing or was not finished."""
    options = _parse()
    found = find_interpreters()
    cells = read_table(options.write) if options.write is not None else {}
    hosts: dict[str, Path] = {}
    lines: list[str] = []
    good = True
    for host, _, target in (pair.partition(":") for pair in options.pairs):
        absent = [version for version in (host, target) if version not in found]
        if absent:
            lines.append(f"host {host}, target {target}: no Python {' and '.join(absent)} here")
            good = False
            continue
        if host not in hosts:
            hosts[host] = make_host(options.hosts, found[host], host)
        row = cells.setdefault((host, target), {})
        for suite in options.suite or SUITES:
            print(f"== host {host}, target {target}: {suite}", flush=True)
            outcome = run_suite(
                hosts[host], suite, target, workers=options.workers, limit=options.limit, more=options.pytest
            )
            row[suite] = str(outcome)
            good &= outcome.good
            lines.append(f"host {host}, target {target}, {suite}: {outcome} in {outcome.seconds:.0f} s")
            if options.write is not None:
                named = {version for pair in cells for version in pair if version in found}
                today = datetime.datetime.now().astimezone()
                when = f"Run on {today:%Y-%m-%d} on {platform.system()} ({platform.machine()})"
                write_table(options.write, cells, {version: _exact(found[version]) for version in named}, when)
    print("\n".join(lines))
    return 0 if good else 1


def _exact(interpreter: Path) -> str:
    return subprocess.run([interpreter, "-c", _ASK], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
