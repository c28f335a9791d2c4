"""``python -m benchmarks.cold_runs``: a whole run of nox on a machine that has nothing: no store, no cache, no home.

Backends take turns in one run.  ``--write`` makes ``docs/benchmarks-cold.md``.  The package index is needed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .measure import seconds_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "benchmarks-cold.md"
_BACKENDS: Final = ("linked", "virtualenv", "uv")
_NOXFILE: Final = """\
import os

import nox

nox.options.default_venv_backend = os.environ["BACKEND"]


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def tests(session):
    session.install(*{install!r})
    session.run("python", "-c", {run!r})
"""
_PROJECT: Final = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "demo"
version = "1.0"
dependencies = ["click"]

[project.optional-dependencies]
test = ["pytest"]
"""
_SMALL: Final = ((".[test]",), "import demo, click, pytest")
_SCI: Final = (("pandas", "scipy", "scikit-learn", "matplotlib"), "import pandas, scipy, sklearn, matplotlib")
#: What is run: a name for readers, what is installed and run, and nox's arguments.
_CASES: Final = {
    "small": ("click, pytest and a project built by hatchling, Python 3.10 to 3.13", _SMALL, ()),
    "one": ("the same, Python 3.12 only", _SMALL, ("-p", "3.12")),
    "sci": ("pandas, scipy, scikit-learn and matplotlib, installed and imported, Python 3.10 to 3.13", _SCI, ()),
}


def _seconds(directory: Path, backend: str, case: str) -> float:
    """Return the seconds that nox takes, from its start to its end."""
    _, (install, run), arguments = _CASES[case]
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "demo").mkdir(parents=True)
    (directory / "home").mkdir()
    (directory / "demo" / "__init__.py").touch()
    (directory / "pyproject.toml").write_text(_PROJECT)
    (directory / "noxfile.py").write_text(_NOXFILE.format(install=install, run=run))
    prefixes = ("PIP_", "UV_", "LINKENV_", "NOX", "XDG_", "PYTHON", "VIRTUALENV_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(prefixes) and name != "CI"}
    # Interpreters and certificates are the machine's; what they are found by may be in the home.
    environ |= {"HOME": str(directory / "home"), "PIP_CONFIG_FILE": os.devnull, "BACKEND": backend}
    environ |= {"PYENV_ROOT": os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")}
    taken, _ = seconds_of([sys.executable, "-m", "nox", *arguments], directory, environ)
    if backend == "linked":  # what it leaves to be done is not to slow down who comes next
        environ["LINKENV_STORE"] = str(directory / "home" / ".cache" / "nox-linkenv")
        subprocess.run(
            [sys.executable, "-m", "nox_linkenv", "wait"], env=environ, check=True, stdout=subprocess.DEVNULL
        )
    return taken


def _cell(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def _row(case: str, taken: dict[str, list[float]]) -> str:
    ratios = [
        f"{statistics.median(ours / theirs for ours, theirs in zip(taken['linked'], taken[peer], strict=True)):.2f}"
        for peer in ("virtualenv", "uv")
    ]
    cells = [_CASES[case][0], *(_cell(taken[backend]) for backend in _BACKENDS), *ratios]
    return f"| {' | '.join(cells)} |"


def _page(rows: Sequence[str], rounds: int) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("nox", "virtualenv", "uv"))
    date = datetime.datetime.now(datetime.timezone.utc).date()
    machine = f"{os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}"
    return f"""\
# Benchmarks: a machine that has nothing

Made by `python -m benchmarks.cold_runs --write`: whole runs of nox with an empty home, so without a store and without
a cache of pip, of virtualenv or of uv. The backends take turns in one run. A cell holds seconds, the median of
{rounds} rounds (least to most); the last two columns hold the median of the rounds' ratios. Only the ratios carry over
to another machine, and the network has its part in all of them.

| what | linked | virtualenv | uv | linked / virtualenv | linked / uv |
|---|---|---|---|---|---|
{chr(10).join(rows)}

Made on {date}, {machine}, {versions}.
"""


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser("python -m benchmarks.cold_runs", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help=f"write {_DOCUMENT.name}")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(_CASES)} (default: all)")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        for case in options.cases or _CASES:
            taken: dict[str, list[float]] = {backend: [] for backend in _BACKENDS}
            for _ in range(options.rounds):
                for backend in _BACKENDS:
                    taken[backend].append(_seconds(Path(directory, "project"), backend, case))
                    sys.stderr.write(json.dumps([case, backend, round(taken[backend][-1], 1)]) + "\n")
            rows.append(_row(case, taken))
    page = _page(rows, options.rounds)
    if options.write:
        _DOCUMENT.write_text(page)
    sys.stdout.write(page)


if __name__ == "__main__":
    main()
