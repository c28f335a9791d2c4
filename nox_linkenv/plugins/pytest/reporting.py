"""Where the time of environments went, and which were kept: noted with each test's report, told at the end."""

from __future__ import annotations

import collections
import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Journal", "Summary"]

_ATTRIBUTE = "linkenv"


class Journal:
    """A plugin of each process that makes environments: adds to reports what was done since the one before.

    The reports carry it to the main process, also where pytest-xdist runs the tests.
    """

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.answers: list[str] = []
        self.messages: list[str] = []
        self.failures = 0
        self._times: list[tuple[str, float]] = []
        self._failed: set[str] = set()

    @contextlib.contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Note the time that the block takes as spent with *what*."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._times.append((what, time.perf_counter() - started))

    def begin(self, item: pytest.Item) -> None:
        """Take *item* for one that has not failed yet: it may be run again."""
        self._failed.discard(item.nodeid)

    def failed(self, item: pytest.Item) -> bool:
        """Return whether *item* has failed so far."""
        return item.nodeid in self._failed

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        """Add to the report."""
        outcome: Any = yield
        report: pytest.TestReport = outcome.get_result()
        if report.failed:
            self.failures += 1
            self._failed.add(item.nodeid)
        if self._times or self.kept or self.messages:
            setattr(
                report,
                _ATTRIBUTE,
                {"times": self._times, "kept": self.kept, "answers": self.answers, "messages": self.messages},
            )
            if self.kept:
                report.sections.append(("Kept environments", "\n".join(self.kept)))
            self._times, self.kept, self.answers, self.messages = [], [], [], []


class Summary:
    """A plugin of the main process: gathers what reports carry and tells it at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.report = bool(config.getoption("linkenv_report"))
        self.times: dict[str, list[float]] = collections.defaultdict(list)
        self.slowest: list[tuple[float, str]] = []
        self.answers: collections.Counter[str] = collections.Counter()
        self.messages: list[str] = []
        self.kept: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather."""
        data = getattr(report, _ATTRIBUTE, None)
        if data is None:
            return
        for what, seconds in data["times"]:
            self.times[what].append(seconds)
        spent = sum(seconds for what, seconds in data["times"] if what != "run")
        self.slowest.append((spent, f"{report.when:8} {report.nodeid}"))
        self.answers.update(data["answers"])
        self.messages.extend(data["messages"])
        self.kept.extend((report.nodeid, path) for path in data["kept"])

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Tell."""
        write = terminalreporter.write_line
        if self.kept:
            terminalreporter.section("kept environments")
            for nodeid, path in self.kept:
                write(f"{nodeid}: {path}")
        if not self.report:
            return
        terminalreporter.section("linked environments")
        if not self.times:
            write("none were made")
            return
        write(f"{'':10} {'number':>7} {'median':>10} {'longest':>10} {'total':>10}")
        for what in ("create", "install", "clone", "run", "remove"):
            if what in self.times:
                times = sorted(self.times[what])
                shown = (times[len(times) // 2], times[-1], sum(times))
                write(f"{what:10} {len(times):7} " + " ".join(f"{seconds * 1000:7.0f} ms" for seconds in shown))
        for answer, number in self.answers.most_common():
            write(f"{number} x {answer}")
        for message in self.messages:
            write(message)
        write("slowest:")
        for seconds, where in sorted(self.slowest, reverse=True)[:3]:
            write(f"{seconds * 1000:7.0f} ms {where}")
