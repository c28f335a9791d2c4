"""``python -m benchmarks.ci_runs``: machines of continuous integration, which have nothing but what a job before saved.

``matrix`` makes every cell that is not in the work directory yet; ``restores`` adds a round; without either, nothing is
measured.  ``--write`` makes ``docs/benchmarks-ci.md`` of all that is there.  It needs Linux, root and the index.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nox_linkenv.units import count_of

from .ci_matrix import PACKAGES, PYTHONS, SETS, Cell, run_cell, sets
from .ci_restores import PEERS, Restore, restore

if TYPE_CHECKING:
    from collections.abc import Sequence

_DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "benchmarks-ci.md"
#: How many times the bytes of what a job used its archive may have.
_MOST: Final = 1.1
_PAGE: Final = """\
# Benchmarks: continuous integration

Made by `python -m benchmarks.ci_runs matrix restores --write`. Only the ratios carry over to another machine.

## A matrix of cells

{pythons} Pythons and {sets} sets of packages, drawn from {packages} of the index, are {whole} cells,
of which {cells} were made here. Their sets have {least} to {most} packages, and what these need
comes with them. For each cell a job runs nox and exports what it used. Then an empty directory with an empty home and
an empty store gets that archive and the noxfile. There `linkenv import` and nox run in a network namespace that has no
network. Nox installs the set and imports each package of it. A cell in which pip is asked would end the measurement.

| of each cell | median | least | most | all cells |
|---|---|---|---|---|
{matrix}

*Files in the environment* are all bytes below nox's directory of environments, each file once: what was installed, the
bare environment, and the bytecode of what was imported. These are the bytes that the job used. *Packed* is what tar and
zstd make of them, at the level that archives are compressed with: so the archive is measured by what it holds, and not
by how much can be compressed. *Wheels* are those that were installed, as the index gives them out, which is what a
cache of downloads holds: they have no bytecode and no bare environment, which weighs most where they are small.

{missed}

## Restore and run

pandas, scipy, scikit-learn and matplotlib, installed and imported in four sessions, Python 3.10 to 3.13. Every job
starts from an empty home and one saved file. Caches are saved by tar and zstd. `uv cache prune --ci` removes wheels
that were downloaded, as uv's documentation recommends for such jobs, so that the next job downloads them again. Peers
take turns. The answers in the archive count as too old (`LINKENV_RESOLUTION_AGE`), as they are when the next job runs
hours later: the index is asked again for each page, as uv asks it; what one session has asked holds for the next.
Seconds are medians of the rounds (least to most), ratios are medians of the rounds' ratios. *Processors* are the
seconds of processors of restore and nox together, which other work on the machine lengthens less. pip keeps in its
cache what an index allows it to keep. The index of this measurement allows nothing, so that pip's cache is empty.

| saved | rounds | size of the file | restore | nox | together | archive / this | processors |
|---|---|---|---|---|---|---|---|
{restores}

## Recipes

Each shell line of [continuous integration](how-to/ci.md) and [containers](how-to/containers.md), as the tests run it: a
session with one small wheel of the tests' own, so that what is seen is what the recipe itself costs. Most of the bytes
are the bare environment. *First* is a job on an empty machine, or the building of an image. *Then* is the same job, or
a container, on another machine without a network, with what was saved. An agent that stays is the same machine.
Written by `python -m pytest --write-reliability tests/docs`.

<!-- recipes -->
{recipes}<!-- /recipes -->

Made on {date}, {machine}, {versions}.{remark}
"""
_RECIPES: Final = """\
| recipe | saved | first | then |
|---|---|---|---|
"""


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.1f} s"
    return f"{statistics.median(values):.1f} s ({min(values):.1f} to {max(values):.1f})"


def _row(name: str, values: Sequence[float], whole: float, form: str) -> str:
    cells = [form.format(value) for value in (statistics.median(values), min(values), max(values), whole)]
    return f"| {name} | {' | '.join(cells)} |"


def _matrix(cells: Sequence[Cell]) -> str:
    megabytes = {
        "archive": [cell.archive / 1e6 for cell in cells],
        "files in the environment": [cell.files / 1e6 for cell in cells],
        "these files, packed": [cell.packed / 1e6 for cell in cells],
        "wheels": [cell.wheels / 1e6 for cell in cells],
    }
    rows = [_row(name, sizes, sum(sizes), "{:.1f} MB") for name, sizes in megabytes.items()]
    archives = megabytes.pop("archive")
    for name, sizes in megabytes.items():
        ratios = [ours / theirs for ours, theirs in zip(archives, sizes, strict=True)]
        rows.append(_row(f"archive / {name}", ratios, sum(archives) / sum(sizes), "{:.2f}"))
    seconds = {
        "import": [cell.imported for cell in cells],
        "import, processors": [cell.import_worked for cell in cells],
        "nox": [cell.ran for cell in cells],
        "nox, processors": [cell.run_worked for cell in cells],
    }
    rows += [_row(name, each, sum(each), "{:.1f} s") for name, each in seconds.items()]
    return "\n".join(rows)


def _restores(found: Sequence[Restore]) -> str:
    """Return the rows of the table; a slow peer may have been left out of some rounds, or of all."""
    by_peer = {peer.name: ones for peer in PEERS if (ones := [one for one in found if one.peer == peer.name])}
    rows = []
    for name, ones in by_peer.items():
        sums = [one.restored + one.ran for one in ones]
        ours = [one.restored + one.ran for one in by_peer[PEERS[0].name]]
        ratio = statistics.median(one / other for one, other in zip(ours, sums, strict=False))
        cells = [name, str(len(ones)), f"{ones[0].saved / 1e6:.1f} MB", _spread([one.restored for one in ones])]
        cells += [_spread([one.ran for one in ones]), _spread(sums), "" if name == PEERS[0].name else f"{ratio:.2f}"]
        worked = [one.worked for one in ones if one.worked]
        cells.append(_spread(worked) if worked else "not measured")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _missed(cells: Sequence[Cell]) -> str:
    """Say in how many cells the archive is larger than what it is compared with, and where it is largest beside it."""
    return "\n".join(
        _missed_by(cells, what, sizes)
        for what, sizes in (
            ("these files, packed", [cell.packed for cell in cells]),
            ("wheels", [cell.wheels for cell in cells]),
        )
    )


def _missed_by(cells: Sequence[Cell], what: str, sizes: Sequence[int]) -> str:
    ratios = [cell.archive / size for cell, size in zip(cells, sizes, strict=True)]
    missed = count_of(sum(ratio > _MOST for ratio in ratios), "cell")
    worst = ratios.index(max(ratios))
    names = ", ".join(name.partition(":")[0] for name in cells[worst].packages)
    return (
        f"- *archive / {what}* is more than {_MOST} in {missed}, and most ({ratios[worst]:.2f}) with {names} and\n"
        f"  Python {cells[worst].python}: {cells[worst].archive / 1e6:.1f} MB and {sizes[worst] / 1e6:.1f} MB."
    )


def _recipes() -> str:
    """Return the table of recipes as it is on the page: other runs write it."""
    before = _DOCUMENT.read_text(encoding="utf-8") if _DOCUMENT.exists() else ""
    table = before.partition("<!-- recipes -->\n")[2].partition("<!-- /recipes -->")[0]
    return table or _RECIPES


def _page(cells: Sequence[Cell], found: Sequence[Restore], remark: str) -> str:
    return _PAGE.format(
        cells=len(cells),
        whole=len(PYTHONS) * SETS,
        recipes=_recipes(),
        missed=_missed(cells),
        pythons=len(PYTHONS),
        sets=SETS,
        packages=len(PACKAGES),
        least=min(len(cell.packages) for cell in cells),
        most=max(len(cell.packages) for cell in cells),
        matrix=_matrix(cells),
        restores=_restores(found),
        remark=f" {remark}" if remark else "",
        date=datetime.datetime.now(datetime.timezone.utc).date(),
        machine=f"{os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}",
        versions=", ".join(f"{name} {version(name)}" for name in ("nox-linkenv", "nox", "virtualenv", "uv")),
    )


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser("python -m benchmarks.ci_runs", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="WHAT", help="matrix, restores")
    parser.add_argument(
        "--python",
        action="append",
        choices=PYTHONS,
        help="of the matrix, may be repeated (all); each has its own store",
    )
    parser.add_argument(
        "--peer", action="append", choices=[peer.name for peer in PEERS], help="of restores, may be repeated (all)"
    )
    parser.add_argument("--rounds", type=int, default=1, help="how many rounds restores adds (1)")
    parser.add_argument("--work", type=Path, default=Path(".benchmarks/ci"), metavar="DIR", help="work directory, kept")
    parser.add_argument("--remark", default="", help="a sentence for the end of the page")
    parser.add_argument("--write", action="store_true", help=f"write {_DOCUMENT.name}")
    options = parser.parse_args()
    work: Path = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    log = work / "samples.jsonl"

    def note(kind: str, sample: Cell | Restore) -> None:
        line = json.dumps([kind, asdict(sample)])
        sys.stderr.write(line + "\n")
        with log.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    cells, found = _read(log)
    if "matrix" in options.what:
        made = {(cell.python, cell.packages) for cell in cells}
        for packages in sets():
            for python in options.python or PYTHONS:
                if (python, packages) not in made:
                    note("cell", run_cell(work / f"matrix-{python}", python, packages))
    if "restores" in options.what:
        for _ in range(options.rounds):
            for peer in [peer for peer in PEERS if peer.name in (options.peer or [peer.name])]:
                note("restore", restore(work / "restores", peer))
    cells, found = _read(log)
    if options.write:
        _DOCUMENT.write_text(_page(cells, found, options.remark), encoding="utf-8")


def _read(log: Path) -> tuple[list[Cell], list[Restore]]:
    cells, found = [], []
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        kind, values = json.loads(line)
        if kind == "cell":
            cells.append(Cell(**{**values, "packages": tuple(values["packages"])}))
        else:
            found.append(Restore(**values))
    return cells, found


if __name__ == "__main__":
    main()
