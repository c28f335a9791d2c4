"""``python -m benchmarks.pytest_envs``: an environment for every test, made by each peer in turn.

Each test has an environment of its own with requests, click and a local project installed, and runs one subprocess in
it. What is measured is the whole test as pytest runs it (setup, call and teardown) less the subprocess. Only linked
removes its environments within that time: the peers leave theirs to pytest's temporary directories.
``uv`` builds a project named by its path every time; ``uv-by-hand`` builds one wheel for the run and is offline.
Peers take turns, a few tests each, and all caches are warm. Nothing is a gate: a missed target is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from .measure import await_quiet, facts, neutral_environment
from .report import spread, table

CONFTEST = """
import json, os, time
import pytest

@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    started = time.perf_counter()
    yield
    whole = time.perf_counter() - started
    with open(os.environ["SAMPLES"], "a") as stream:
        stream.write(json.dumps([whole, dict(item.user_properties)["subprocess"]]) + "\\n")
"""
TESTS = """
import os, shutil, subprocess, sys, time
import pytest

COUNT = int(os.environ["COUNT"])
{fixture}

@pytest.mark.parametrize("number", range(COUNT))
def test_program(python, number, record_property):
    started = time.perf_counter()
    done = subprocess.run([python, "-c", "import requests, click, shopping"], check=True)
    record_property("subprocess", time.perf_counter() - started)
"""
FIXTURES = {
    "linked": """
@pytest.fixture
def python(linked_venv):
    linked_venv.install("requests", "click", ".")
    return str(linked_venv.python)
""",
    "pytest-venv": """
@pytest.fixture
def python(venv):
    venv.install(".", extra_args=["requests", "click"])
    return venv.python
""",
    "uv": """
UV = os.environ["UV"]

@pytest.fixture
def python(tmp_path):
    path = tmp_path / "venv"
    subprocess.run([UV, "venv", "-q", "--python", sys.executable, str(path)], check=True)
    python = str(path / "bin" / "python")
    subprocess.run([UV, "pip", "install", "-q", "--python", python, "requests", "click", "."], check=True)
    return python
""",
}
#: What can be made of it by hand: the project is built once, and nobody is asked.
FIXTURES["uv-by-hand"] = (
    FIXTURES["uv"]
    .replace('"."]', "WHEEL]")
    .replace(
        "\n@pytest.fixture",
        """
subprocess.run([UV, "build", "-q", "--wheel", "--clear", "--out-dir", "wheels", "."], check=True)
WHEEL = "wheels/" + os.listdir("wheels")[-1]
os.environ["UV_OFFLINE"] = "1"

@pytest.fixture""",
        1,
    )
)
#: Peers that need a second or more for each test.
SLOW = ("pytest-venv", "uv")
PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "shopping"
version = "1.0"
dependencies = ["click"]

[project.scripts]
shopping = "shopping:main"
"""


@dataclass(frozen=True, slots=True)
class Options:
    work: Path
    rounds: int
    count: int
    count_slow: int


class Bench:
    """One benchmark run below ``options.work``."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.marker = os.urandom(8).hex()
        self.samples: dict[str, list[tuple[float, float]]] = {peer: [] for peer in FIXTURES}
        self.tools = options.work / "pytest-venv"
        if not self.tools.exists():
            command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(self.tools)]
            subprocess.run([*command, "pytest-venv"], check=True)

    def run(self) -> None:
        for peer in FIXTURES:
            for _ in range(2):  # what the first session teaches the store is there for the second
                self._pytest(peer, 2)
        for number in range(self.options.rounds):
            for peer in FIXTURES:
                os.sync()
                found = self._pytest(peer, self.options.count_slow if peer in SLOW else self.options.count)
                self.samples[peer] += found
                beyond = median(whole - inner for whole, inner in found)
                print(f"{number + 1}/{self.options.rounds} {peer:12} {beyond * 1000:8.1f} ms", file=sys.stderr)

    def _pytest(self, peer: str, count: int) -> list[tuple[float, float]]:
        root = self.options.work / peer
        project = root / "project"
        samples = root / "samples"
        if not project.exists():
            (project / "shopping").mkdir(parents=True)
            (project / "pyproject.toml").write_text(PYPROJECT)
            (project / "shopping" / "__init__.py").write_text("def main() -> None:\n    print('shopping')\n")
            (project / "tests").mkdir()
        (project / "tests" / "conftest.py").write_text(CONFTEST)
        (project / "tests" / "test_programs.py").write_text(TESTS.format(fixture=FIXTURES[peer]))
        samples.unlink(missing_ok=True)
        caches = self.options.work / "caches"
        temporary = root / "temporary"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        environ = neutral_environment() | {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_CACHE_DIR": str(caches / "pip"),
            "UV": shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}") or "uv",
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(caches / "uv"),
            "XDG_CONFIG_HOME": str(self.options.work / "no-configuration"),
            "LINKENV_STORE": str(caches / "store"),
            "TMPDIR": str(temporary),
            "SAMPLES": str(samples),
            "COUNT": str(count),
            "BENCHMARK_MARKER": self.marker,
        }
        if peer == "pytest-venv":
            environ["PYTHONPATH"] = str(self.tools)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
        done = subprocess.run(
            command, cwd=project, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        await_quiet(self.marker)
        if done.returncode != 0:
            raise SystemExit(f"{peer}: pytest failed\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
        return [tuple(json.loads(line)) for line in samples.read_text().splitlines()]


def report(samples: dict[str, list[tuple[float, float]]], known: dict[str, str]) -> str:
    beyond = {peer: [1000 * (whole - inner) for whole, inner in found] for peer, found in samples.items()}
    rows = [
        (peer, str(len(found)), spread(found, 1), spread([1000 * inner for _, inner in samples[peer]], 1))
        for peer, found in beyond.items()
    ]
    linked = median(beyond["linked"])
    figures = [
        ("linked, ms", linked, 60.0),
        ("linked / pytest-venv", linked / median(beyond["pytest-venv"]), 0.03),
        ("linked / uv", linked / median(beyond["uv"]), 0.6),
        ("linked / uv-by-hand", linked / median(beyond["uv-by-hand"]), 0.6),
    ]
    targets = [
        (name, f"<= {limit:g}", f"{value:.3g}", "met" if value <= limit else "missed") for name, value, limit in figures
    ]
    return "\n".join(
        [
            "# An environment for every test\n",
            table(("what", "value"), known.items()),
            "Milliseconds a test, the subprocess aside, and of the subprocess: median (least to most).\n",
            table(("peer", "tests", "overhead", "subprocess"), rows),
            table(("figure", "target", "here", ""), targets),
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        "benchmarks.pytest_envs", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--rounds", type=int, default=4, metavar="N", help="rounds (4)")
    add("--count", type=int, default=25, metavar="N", help="tests of a peer in a round (25)")
    add("--count-slow", type=int, default=4, metavar="N", help="the same for pytest-venv and uv (4)")
    add("--work", type=Path, default=Path(".benchmarks/pytest"), metavar="DIR", help="work directory, kept")
    add("--json", type=Path, metavar="FILE", help="write every sample and the facts about the machine")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(Options(work, arguments.rounds, arguments.count, arguments.count_slow))
    bench.run()
    known = facts(work)
    if arguments.json:
        arguments.json.write_text(json.dumps({"facts": known, "samples": bench.samples}, indent=1) + "\n")
    print(report(bench.samples, known), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
