"""Runs one suite of the project on one interpreter, for the environments of another one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.shared import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SUITES", "Outcome", "make_host", "run_suite"]

#: What the columns of the table stand for: tests whose environments have the target.
SUITES: Final = {
    "environments": ("tests/env", "tests/provision"),
    "parity": ("tests/parity/test_awkward.py", "tests/parity/test_compare.py", "tests/parity/test_sharing.py"),
    "nox": ("tests/plugins/nox",),
    "tox": ("tests/plugins/tox",),
    "pytest": ("tests/plugins/pytest",),
}


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


def make_host(directory: Path, interpreter: Path, version: str) -> Path:
    """Return the interpreter of an environment at *directory* with the project, its extras and its tests.

    One that is there already is brought up to date.

    Raises:
        subprocess.CalledProcessError: pip or virtualenv failed.
    """
    place = directory / f"host-{version}"
    python = place / "bin" / "python"
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


def run_suite(python: Path, suite: str, target: str, *, workers: int, limit: float, more: Sequence[str]) -> Outcome:
    """Run a suite and return what came of it.

    Args:
        python: interpreter of the host's environment.
        target: version of the environments that the tests make.
        workers: how many tests run at a time.
        limit: seconds after which it is ended.
        more: arguments for pytest.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="matrix-") as directory:
        os.chmod(directory, 0o755)  # some tests run as another user
        report = Path(directory, "report.xml")
        command = [
            *(str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", "-n", str(workers)),
            *(f"--junitxml={report}", f"--basetemp={directory}/t", *SUITES[suite], *more),
        ]
        environ = {**os.environ, "TARGET_PYTHON": target, "TMPDIR": directory}
        environ["PATH"] = f"{python.parent}{os.pathsep}{environ['PATH']}"
        finished = True
        try:
            subprocess.run(command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            finished = False
        seconds = time.monotonic() - started
        return _read(report, finished=finished, seconds=seconds)


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
