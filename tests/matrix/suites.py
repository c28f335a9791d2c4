"""Runs one suite of the project on one interpreter, for the environments of another one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.budget import rotated
from tests.support.shared import ROOT

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

__all__ = ["SUITES", "Outcome", "make_host", "of_the_day", "run_suite", "total"]

#: What the columns of the table stand for: tests whose environments have the target.
SUITES: Final = {
    "environments": ("tests/env", "tests/provision"),
    "parity": ("tests/parity/test_awkward.py", "tests/parity/test_compare.py", "tests/parity/test_sharing.py"),
    "nox": ("tests/plugins/nox",),
    "tox": ("tests/plugins/tox",),
    "pytest": ("tests/plugins/pytest",),
}
#: Seconds that pytest has, once it is interrupted, to end its tests and to write what came of them.
_GRACE: Final = 90


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many tests of a suite passed, failed and were skipped.

    Args:
        finished: whether the suite came to its end in time.
        seconds: how long it took.
    """

    passed: int
    failed: int
    skipped: int
    finished: bool
    seconds: float

    @property
    def good(self) -> bool:
        """Whether tests ran and none failed."""
        return self.finished and self.passed > 0 and self.failed == 0

    def __str__(self) -> str:
        parts = [str(self.passed)]
        if self.failed or not self.passed:
            parts.append(f"**{self.failed} failed**")
        if not self.finished:
            parts.append("**not finished**")
        if self.skipped:
            parts.append(f"{self.skipped} skipped")
        return ", ".join(parts)


def total(outcomes: Sequence[Outcome], seconds: float) -> str:
    """Return the line with which pytest would end, of all *outcomes*; what is not finished counts as failed."""
    failed = sum(outcome.failed + (not outcome.finished) for outcome in outcomes)
    passed, skipped = (sum(getattr(outcome, name) for outcome in outcomes) for name in ("passed", "skipped"))
    return f"===== {failed} failed, {passed} passed, {skipped} skipped in {seconds:.2f}s ====="


def make_host(directory: Path, interpreter: Path, version: str, *, ready: bool = False) -> Path:
    """Return the interpreter of an environment at *directory* with the project, its extras and its tests.

    One that is there already is brought up to date, unless it is *ready*.

    Raises:
        subprocess.CalledProcessError: pip or virtualenv failed.
    """
    place = directory / f"host-{version}"
    python = place / "bin" / "python"
    if ready and python.exists():
        return python
    if not python.exists():
        subprocess.run([sys.executable, "-m", "virtualenv", "-q", "-p", str(interpreter), str(place)], check=True)
    pip = [
        str(python),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "-q",
        "-U",
        "--upgrade-strategy",
        "eager",
    ]
    subprocess.run([*pip, "--group", f"{ROOT}/pyproject.toml:test", "-e", f"{ROOT}[tox,pytest]"], check=True)
    return python


def of_the_day(day: datetime.date) -> list[str]:
    """Return the quarter of the test modules that a bounded run begins with on *day*: more than it can reach.

    To collect all of them would take as long as many of the tests.
    """
    modules = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/**/test_*.py"))
    return rotated(modules, day)[: len(modules) // 4]


def run_suite(
    python: Path, tests: Sequence[str], target: str, *, workers: int, limit: float, more: Sequence[str] = ()
) -> Outcome:
    """Run tests and return what came of them.

    Args:
        python: interpreter of the host's environment.
        tests: files and directories.
        target: version of the environments that the tests make.
        workers: how many tests run at a time.
        limit: seconds after which it is ended.
        more: arguments for pytest.
    """
    started = time.monotonic()
    # What works at low priority when the tests have ended may still write into their stores.
    # Not by a random name beside other temporary files, of which a build's reads do not count.
    base = Path(tempfile.gettempdir(), "matrix")
    base.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base, ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)  # some tests run as another user
        report = Path(directory, "report.xml")
        command = [
            *(str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", "-n", str(workers)),
            *(f"--junitxml={report}", f"--basetemp={directory}/t", *tests, *more),
        ]
        environ = {**os.environ, "TARGET_PYTHON": target, "TMPDIR": directory}
        environ["PATH"] = f"{python.parent}{os.pathsep}{environ['PATH']}"
        finished = _run(command, environ, limit)
        seconds = time.monotonic() - started
        return _read(report, finished=finished, seconds=seconds)


def _run(command: Sequence[str], environ: Mapping[str, str], limit: float) -> bool:
    """Run pytest and tell whether it came to its end in time; where it did not, it still writes its report."""
    # Where we were started in the background, we are deaf to interrupts, and so would be all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL) as process:
        try:
            return process.wait(limit) in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        except KeyboardInterrupt:  # pytest, in the same process group, has heard it too
            _end(process)
            raise
        _end(process)
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()


def _read(report: Path, *, finished: bool, seconds: float) -> Outcome:
    if not report.exists():
        return Outcome(0, 0, 0, finished=False, seconds=seconds)
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in ET.parse(report).getroot().iter("testsuite"):
        for name in counts:
            counts[name] += int(suite.get(name, "0"))
    failed = counts["failures"] + counts["errors"]
    passed = counts["tests"] - failed - counts["skipped"]
    return Outcome(passed, failed, counts["skipped"], finished=finished, seconds=seconds)
