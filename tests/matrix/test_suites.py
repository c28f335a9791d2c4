"""What a suite that is ended is known to have done, and whether its tests can be interrupted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.matrix.suites import Outcome, run_suite, total
from tests.support.interpreters import TARGET
from tests.support.shared import ROOT

_TESTS = """
import os, pathlib, signal, time

def test_first():
    assert os.environ["TARGET_PYTHON"] == {target!r}

def test_interrupts_are_heard():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

def test_endless():
    pathlib.Path({ready!r}).touch()
    time.sleep({seconds})
"""


def _write(directory: Path, seconds: int) -> Path:
    path = directory / "test_some.py"
    path.write_text(_TESTS.format(target=TARGET, ready=str(directory / "ready"), seconds=seconds))
    return path


@pytest.mark.slow  # it waits for the limit, which leaves a busy machine the time for the first tests
def test_what_is_ended_tells_what_it_did(tmp_path: Path) -> None:
    outcome = run_suite(Path(sys.executable), [str(_write(tmp_path, 600))], TARGET, workers=1, limit=60)
    assert (tmp_path / "ready").exists()
    assert (outcome.passed, outcome.finished, outcome.good) == (2, False, False)
    assert "not finished" in str(outcome)


def test_programs_hear_interrupts_though_the_suite_was_started_in_the_background(tmp_path: Path) -> None:
    """As a shell does with ``&``: the signal is ignored, which programs inherit."""
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from pathlib import Path; from tests.matrix.suites import run_suite\n"
        f"print(run_suite(Path(sys.executable), [{str(_write(tmp_path, 0))!r}], {TARGET!r}, workers=0, limit=300))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "3", done.stdout + done.stderr


def test_the_last_line_is_counted_as_one_of_pytest() -> None:
    outcomes = [Outcome(3, 1, 2, finished=True, seconds=1), Outcome(4, 0, 0, finished=False, seconds=1)]
    line = total(outcomes, 2.5)
    (pattern,) = re.findall(r"grep -aE '(\S.*)' \S+ \| tail", (ROOT / ".ci/run").read_text(encoding="utf-8"))
    assert re.search(pattern, line)
    assert re.findall(r"(\d+) (\w+)", line) == [("2", "failed"), ("7", "passed"), ("2", "skipped")]
