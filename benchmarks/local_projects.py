"""``python -m benchmarks.local_projects``: sessions that install a local project, on linked, uv and virtualenv in turn.

Times are the sessions' durations in nox's own ``--report``; for the matrix, their sum.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from .measure import await_quiet, facts, neutral_environment
from .report import table

if TYPE_CHECKING:
    from collections.abc import Sequence

BACKENDS = ("linked", "uv", "virtualenv")
_PURE = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "pureproject"
version = "1.0"
requires-python = ">=3.10"
dependencies = [
    "attrs", "click", "idna", "packaging", "requests", "certifi", "charset-normalizer", "urllib3", "jinja2",
    "markupsafe", "pyyaml", "rich", "pygments", "iniconfig", "platformdirs",
]

[project.optional-dependencies]
test = ["pytest"]
"""
_COMPILED = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "compiledproject"
version = "1.0"

[tool.setuptools]
packages = ["compiledproject"]
ext-modules = [{name = "compiledproject.fast", sources = ["fast.c"]}]
"""
_SOURCE = """\
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One measured session.

    Args:
        name: what is measured.
        project: directory of the project.
        arguments: of ``session.install``.
        pythons: one session each.
        edit: whether one source file is changed before every session.
        first: whether the project has never been built: its name and place are new each time.
        constraint: whether the configuration has a constraints file: ``pip.conf``, and the variable that uv has.
        leaves: whether a report of tests is written into the tree before every session.
        targets: (peer, most that linked may take of its time).
    """

    name: str
    project: str
    arguments: tuple[str, ...]
    targets: tuple[tuple[str, float], ...]
    pythons: tuple[str, ...] = ("3.12",)
    edit: bool = False
    first: bool = False
    constraint: bool = False
    leaves: bool = False


CASES = (
    Case("-e .[test], 15 dependencies, unchanged", "pure", ("-e", ".[test]"), (("uv", 0.25),)),
    Case("-e .[test], a constraint in pip.conf", "pure", ("-e", ".[test]"), (("uv", 0.15),), constraint=True),
    Case("-e .[test], a new report file in the tree", "pure", ("-e", ".[test]"), (("uv", 0.15),), leaves=True),
    Case("-e .[test] after an edit of a source file", "pure", ("-e", ".[test]"), (("uv", 0.25),), edit=True),
    Case(". after an edit of a source file", "pure", (".",), (("uv", 0.9),), edit=True),
    Case(". with a C extension, unchanged", "compiled", (".",), (("uv", 0.20),)),
    Case(
        "matrix 3.10 to 3.13, .[test]", "pure", (".[test]",), (("virtualenv", 0.15),), ("3.10", "3.11", "3.12", "3.13")
    ),
    Case(
        "matrix 3.10 to 3.13, . after an edit",
        "pure",
        (".",),
        (("uv", 0.9), ("virtualenv", 0.15)),
        ("3.10", "3.11", "3.12", "3.13"),
        edit=True,
    ),
    Case("first build of ., build requirements warm", "pure", (".",), (("virtualenv", 0.6),), first=True),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """The duration of the session, or sessions, of one nox, in seconds."""

    case: str
    backend: str
    round: int
    seconds: float


class Bench:
    """One run; everything it writes is in *work*."""

    def __init__(self, work: Path, rounds: int, cases: Sequence[Case] = CASES) -> None:
        self.work = work
        self.rounds = rounds
        self.cases = cases
        self.samples: list[Sample] = []
        self.marker = uuid.uuid4().hex
        self.edits = 0

    def run(self) -> None:
        """Warm everything, then measure every case on every backend in turn."""
        self.work.mkdir(parents=True, exist_ok=True)
        (self.work / ".gitignore").write_text("*\n", encoding="utf-8")
        (self.work / "constraints.txt").write_text("idna<3.10\n", encoding="utf-8")
        (self.work / "pip.conf").write_text(
            f"[global]\nconstraint = {self.work / 'constraints.txt'}\n", encoding="utf-8"
        )
        for case in self.cases:
            for backend in BACKENDS:
                shutil.rmtree(self._place(case, backend), ignore_errors=True)
                for _ in range(3 if backend == "linked" else 1):  # builds settle, bytecode and spares come afterwards
                    self._nox(case, backend)
        for number in range(self.rounds):
            for case in self.cases:
                for backend in BACKENDS:
                    sample = Sample(case.name, backend, number, self._nox(case, backend))
                    self.samples.append(sample)
                    print(f"{number + 1}/{self.rounds} {case.name:45} {backend:10} {sample.seconds:7.3f} s", flush=True)

    def _place(self, case: Case, backend: str) -> Path:
        return self.work / f"{CASES.index(case)}-{backend}"

    def _furnish(self, case: Case, backend: str) -> Path:
        """Return the directory of the project of *case*, in the state that it shall be measured in."""
        root = self._place(case, backend)
        if case.first:
            shutil.rmtree(root, ignore_errors=True)
            self.edits += 1
            root = root / str(self.edits)
        if not root.exists():
            name = f"{case.project}project"
            (root / name).mkdir(parents=True)
            (root / name / "__init__.py").write_text("value = 0\n", encoding="utf-8")
            (root / "pyproject.toml").write_text(_PURE if case.project == "pure" else _COMPILED, encoding="utf-8")
            (root / "README.md").write_text(f"{root}\n", encoding="utf-8")
            if case.project == "compiled":
                (root / "fast.c").write_text(_SOURCE, encoding="utf-8")
            (root / "noxfile.py").write_text(
                "import nox\n\n\n"
                f"@nox.session(python={list(case.pythons)!r}, venv_backend={backend!r})\n"
                f"def bench(session):\n    session.install({', '.join(map(repr, case.arguments))})\n",
                encoding="utf-8",
            )
        if case.edit:
            self.edits += 1
            (root / "pureproject" / "__init__.py").write_text(f"value = {self.edits}\n", encoding="utf-8")
        if case.leaves:
            self.edits += 1
            (root / "junit.xml").write_text(f"<testsuites tests='{self.edits}'/>\n", encoding="utf-8")
        return root

    def _nox(self, case: Case, backend: str) -> float:
        """Return the duration of the sessions; what they leave to the background is waited for afterwards."""
        root, caches = self._furnish(case, backend), self.work / "caches"
        shutil.rmtree(root / ".nox", ignore_errors=True)
        variables = {
            **neutral_environment(),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_CACHE_DIR": str(caches / "pip"),
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(caches / "uv"),
            "VIRTUALENV_OVERRIDE_APP_DATA": str(caches / "virtualenv"),
            "LINKENV_STORE": str(self.work / "store"),
            "LINKENV_RESOLUTION_AGE": "86400",  # a round takes longer than the ten minutes that are the default
            "LINKENV_NOX_HOOK": "1" if backend == "linked" else "0",
            "BENCHMARK_MARKER": self.marker,
        }
        if case.constraint:
            variables["PIP_CONFIG_FILE"] = str(self.work / "pip.conf")
            variables["UV_CONSTRAINT"] = str(self.work / "constraints.txt")
        report = self.work / "report.json"
        os.sync()
        with (self.work / "log").open("wb") as log:
            command = [sys.executable, "-m", "nox", "--report", str(report), "--error-on-missing-interpreters"]
            done = subprocess.run(
                command, cwd=root, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        if done.returncode:
            sys.exit((self.work / "log").read_text(encoding="utf-8", errors="replace"))
        await_quiet(self.marker)
        time.sleep(0.05)  # a tree that has just been written is looked at more closely
        sessions = json.loads(report.read_text(encoding="utf-8"))["sessions"]
        return float(sum(session["duration"] for session in sessions))


def report(samples: list[Sample], known: dict[str, str], cases: Sequence[Case] = CASES) -> str:
    """Return the medians and ratios as Markdown."""

    def of(case: str, backend: str) -> dict[int, float]:
        return {s.round: s.seconds for s in samples if (s.case, s.backend) == (case, backend)}

    rows, goals = [], []
    for case in cases:
        rows.append((case.name, *(f"{median(of(case.name, backend).values()):.3f}" for backend in BACKENDS)))
        for peer, limit in case.targets:
            ours, theirs = of(case.name, "linked"), of(case.name, peer)
            value = median(ours[number] / theirs[number] for number in ours)
            told = "met" if value <= limit else "missed"
            goals.append((f"{case.name}: / {peer}", f"<= {limit}", f"{value:.3f}", told, str(len(ours))))
    return "\n".join(
        [
            "# Local projects\n",
            table(("what", "value"), list(known.items())),
            "Duration of the session by nox's own report, medians in seconds:\n",
            table(("session.install", *BACKENDS), rows),
            table(("figure", "target", "here", "", "rounds"), goals),
        ]
    )


def main() -> int:
    made = argparse.ArgumentParser("benchmarks.local_projects", description=__doc__)
    made.add_argument("--work", type=Path, default=Path(".benchmarks/projects"), help="work directory, kept")
    made.add_argument("--runs", type=int, default=7, help="rounds (7)")
    made.add_argument("--case", action="append", metavar="TEXT", help="only cases whose name has it (all)")
    made.add_argument("--json", type=Path, help="write every sample")
    made.add_argument("--markdown", type=Path, help="write the report that is printed")
    arguments = made.parse_args()
    work = arguments.work.resolve()
    cases = [case for case in CASES if not arguments.case or any(text in case.name for text in arguments.case)]
    bench = Bench(work, arguments.runs, cases)
    bench.run()
    known = facts(work)
    text = report(bench.samples, known, cases)
    if arguments.json:
        data = {"facts": known, "samples": [asdict(sample) for sample in bench.samples]}
        arguments.json.write_text(json.dumps(data, indent=1), encoding="utf-8")
    if arguments.markdown:
        arguments.markdown.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
