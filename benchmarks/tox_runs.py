"""``python -m benchmarks.tox_runs``: tox with ``runner = linked``, tox-uv and virtualenv, alternately in one run.

Times are those of the whole tox process, beside that of a tox which finds nothing to do. tox, tox-uv and this project
are installed in a virtual environment in the work directory when there is none yet.
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

from .measure import await_quiet, facts, neutral_environment
from .report import table
from .scenarios import SCI

_RUNNERS = {"linked": "linked", "uv": "uv-venv-runner", "virtualenv": "virtualenv"}
_VERSIONS = ("3.10", "3.11", "3.12", "3.13")
_ROOT = Path(__file__).resolve().parent.parent
_NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Case:
    """One command line of tox: its name, the environments it runs by runner, and the target against each peer."""

    name: str
    environments: tuple[str, ...]
    options: tuple[str, ...]
    targets: tuple[tuple[str, float], ...]


CASES = (
    Case("tox r -r, install", ("install",), ("r", "-r"), (("uv", 0.5), ("virtualenv", 0.08))),
    Case("tox r -r, install and import", ("import",), ("r", "-r"), (("uv", 0.45),)),
    Case("tox p -p 2 -r, 3.10 to 3.13", tuple(f"all{v}" for v in _VERSIONS), ("p", "-p", "2", "-r"), (("uv", 0.5),)),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """The wall time of one tox process, in seconds."""

    case: str
    runner: str
    round: int
    seconds: float


def configuration() -> str:
    """Return the tox.ini: each environment once for every runner."""
    modules = ", ".join(SCI.imports)
    parts = ["[tox]\nskipsdist = true\n"]
    for name, runner in _RUNNERS.items():
        kinds = {"install": ("3.12", ""), "import": ("3.12", f'python -c "import {modules}"')}
        kinds |= {f"all{version}": (version, "") for version in _VERSIONS}
        for kind, (python, command) in kinds.items():
            lines = [f"runner = {runner}", f"base_python = python{python}", "skip_install = true", "deps ="]
            lines += [f"    {requirement}" for requirement in SCI.arguments]
            parts.append("\n".join([f"[testenv:{name}-{kind}]", *lines, f"commands = {command}", ""]))
    parts.append(f"[testenv:{_NOTHING}]\nrunner = virtualenv\nskip_install = true\ncommands =\n")
    return "\n".join(parts)


class Bench:
    """One run; everything it writes is in *work*, which is kept."""

    def __init__(self, work: Path, rounds: int, rounds_virtualenv: int) -> None:
        self.work = work
        self.rounds = rounds
        self.rounds_virtualenv = rounds_virtualenv
        self.samples: list[Sample] = []
        self.marker = uuid.uuid4().hex
        self.python = str(work / "host" / "bin" / "python")

    def run(self) -> None:
        """Prepare, then measure every case with every runner in turn."""
        self._prepare()
        for case in CASES:
            for runner in _RUNNERS:
                for _ in range(2 if runner == "linked" else 1):  # bytecode and spares come after the first session
                    self._tox(case, runner)
        for number in range(self.rounds):
            self._sample(Sample(_NOTHING, _NOTHING, number, self._run(["r", "-e", _NOTHING])))
            for case in CASES:
                for runner in _RUNNERS:
                    if runner == "virtualenv" and (
                        number >= self.rounds_virtualenv or case.environments[0].startswith("all")
                    ):
                        continue
                    self._sample(Sample(case.name, runner, number, self._tox(case, runner)))

    def _prepare(self) -> None:
        self.work.mkdir(parents=True, exist_ok=True)
        (self.work / ".gitignore").write_text("*\n", encoding="utf-8")
        (self.work / "tox.ini").write_text(configuration(), encoding="utf-8")
        if not os.path.exists(self.python):
            subprocess.run([sys.executable, "-m", "venv", self.work / "host"], check=True)
            command = [self.python, "-m", "pip", "install", "--quiet", f"{_ROOT}[tox]", "tox-uv"]
            subprocess.run(command, check=True)
        self._run(["r", "-e", _NOTHING])

    def _tox(self, case: Case, runner: str) -> float:
        names = ",".join(f"{runner}-{name}" for name in case.environments)
        return self._run([*case.options, "-e", names])

    def _run(self, arguments: list[str]) -> float:
        """Return the seconds that one tox takes; what it leaves to the background is waited for afterwards."""
        caches = self.work / "caches"
        variables = {
            **neutral_environment(),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_CACHE_DIR": str(caches / "pip"),
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(caches / "uv"),
            "VIRTUALENV_OVERRIDE_APP_DATA": str(caches / "virtualenv"),
            "LINKENV_STORE": str(self.work / "store"),
            "LINKENV_RESOLUTION_AGE": "86400",  # a run takes longer than the ten minutes; uv asks the index each time
            "BENCHMARK_MARKER": self.marker,
        }
        os.sync()
        with (self.work / "log").open("wb") as log:
            start = time.perf_counter()
            command = [self.python, "-m", "tox", *arguments]
            done = subprocess.run(
                command, cwd=self.work, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
            seconds = time.perf_counter() - start
        if done.returncode:
            sys.exit((self.work / "log").read_text(encoding="utf-8", errors="replace"))
        await_quiet(self.marker)
        return seconds

    def _sample(self, sample: Sample) -> None:
        self.samples.append(sample)
        print(
            f"{sample.round + 1}/{self.rounds} {sample.case:32} {sample.runner:10} {sample.seconds:7.3f} s", flush=True
        )


def report(samples: list[Sample], known: dict[str, str]) -> str:
    """Return the medians and ratios as Markdown."""

    def of(case: str, runner: str) -> dict[int, float]:
        return {s.round: s.seconds for s in samples if (s.case, s.runner) == (case, runner)}

    rows, goals = [], []
    for case in CASES:
        times = [of(case.name, runner) for runner in _RUNNERS]
        rows.append((case.name, *(f"{median(found.values()):.3f} ({len(found)})" if found else "-" for found in times)))
        for peer, limit in case.targets:
            ours, theirs = of(case.name, "linked"), of(case.name, peer)
            both = ours.keys() & theirs.keys()
            value = median(ours[number] / theirs[number] for number in both) if both else None
            told = ("-", "not measured") if value is None else (f"{value:.3f}", "met" if value <= limit else "missed")
            goals.append((f"{case.name}: / {peer}", f"<= {limit}", *told, str(len(both))))
    start = median(of(_NOTHING, _NOTHING).values())
    return "\n".join(
        [
            "# tox\n",
            table(("what", "value"), list(known.items())),
            f"Wall time of the whole process, medians in seconds (rounds); a tox with nothing to do: {start:.3f}.\n",
            table(("command", *_RUNNERS), rows),
            table(("figure", "target", "here", "", "rounds"), goals),
        ]
    )


def main() -> int:
    made = argparse.ArgumentParser("benchmarks.tox_runs", description=__doc__)
    made.add_argument("--work", type=Path, default=Path(".benchmarks/tox"), help="work directory, kept")
    made.add_argument("--runs", type=int, default=7, help="rounds (7)")
    made.add_argument("--runs-virtualenv", type=int, default=7, help="rounds which virtualenv takes part in (7)")
    made.add_argument("--anew", action="store_true", help="install the tools and this project anew")
    made.add_argument("--json", type=Path, help="write every sample")
    made.add_argument("--markdown", type=Path, help="write the report that is printed")
    arguments = made.parse_args()
    work = arguments.work.resolve()
    if arguments.anew:
        shutil.rmtree(work / "host", ignore_errors=True)
    bench = Bench(work, arguments.runs, arguments.runs_virtualenv)
    bench.run()
    known = facts(work)
    text = report(bench.samples, known)
    if arguments.json:
        data = {"facts": known, "samples": [asdict(sample) for sample in bench.samples]}
        arguments.json.write_text(json.dumps(data, indent=1), encoding="utf-8")
    if arguments.markdown:
        arguments.markdown.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
