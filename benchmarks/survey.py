"""``python -m benchmarks.survey``: which share of what public projects install is warm on a second run, and why not.

Takes the sdists of projects from the index, and runs what sessions of nox and tox install: three times, in fresh clones
at the same place.  What was found is kept in the work directory; ``--write`` makes ``docs/benchmarks-survey.md`` of it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .measure import facts
from .survey_page import page
from .survey_projects import CANDIDATES
from .survey_runs import Project, Runner

if TYPE_CHECKING:
    from collections.abc import Sequence

_DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "benchmarks-survey.md"
#: How many projects are wanted that request something.
_WANTED: Final = 60


def main(arguments: Sequence[str] | None = None) -> None:
    """Survey what the command line names."""
    parser = argparse.ArgumentParser("python -m benchmarks.survey", description=__doc__)
    parser.add_argument("project", nargs="*", help="names of projects (of the list, until 60 have requested something)")
    parser.add_argument("--work", type=Path, default=Path(".benchmarks/survey"), metavar="DIR", help="kept")
    parser.add_argument("--limit", type=float, default=120, metavar="SECONDS", help="for a run of a session (120)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="projects at a time (2)")
    parser.add_argument("--again", action="store_true", help="also what was surveyed before")
    parser.add_argument("--remark", default="", help="a sentence for the end of the page")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    parser.add_argument("--write", action="store_true", help=f"write {_DOCUMENT.name}")
    options = parser.parse_args(arguments)
    work: Path = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    (work / ".gitignore").write_text("*\n", encoding="utf-8")
    log = work / "projects.jsonl"
    found = _read(log)
    names = options.project or CANDIDATES
    _survey(work, log, found, names, wanted=len(names) if options.project else _WANTED, options=options)
    projects = [found[name] for name in CANDIDATES if name in found]
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in projects], indent=1), encoding="utf-8")
    text = page(projects, options.limit, _facts(work), options.remark)
    print(text)
    if options.write:
        _DOCUMENT.write_text(text, encoding="utf-8")


def _survey(
    work: Path,
    log: Path,
    found: dict[str, Project],
    names: Sequence[str],
    *,
    wanted: int,
    options: argparse.Namespace,
) -> None:
    """Add to what was *found*, and to the *log*, until as many projects as are *wanted* have requested something."""
    missing = [name for name in names if options.again or name not in found]
    runner, lock = Runner(work, options.limit), threading.Lock()

    def look_at(name: str) -> None:
        with lock:
            counted = sum(bool(one.counted) for other, one in found.items() if other in names)
        if counted >= wanted and not options.again:
            return
        project = runner.look_at(name)
        with lock:
            found[name] = project
            with log.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(asdict(project)) + "\n")
            sys.stderr.write(f"{name}: {len(project.counted)} sessions counted {project.failed or ''}\n")

    if missing:
        runner.prepare()
        with ThreadPoolExecutor(options.jobs) as pool:
            list(pool.map(look_at, missing))


def _facts(work: Path) -> dict[str, str]:
    known = facts(work)
    chosen = {
        name: known[name] for name in ("date", "system", "processors", "file system", "nox-linkenv", "virtualenv")
    }
    return chosen | {name: importlib.metadata.version(name) for name in ("nox", "tox")}


def _read(log: Path) -> dict[str, Project]:
    """Return what is in the *log*, the last that was written of each project."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    projects = [Project.from_json(json.loads(line)) for line in lines]
    return {project.name: project for project in projects}


if __name__ == "__main__":
    main()
