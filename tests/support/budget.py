"""``--budget SECONDS``: begin no test after so long, and begin with other modules from day to day.

So a suite that is longer than a run of continuous integration may last still fails it with each test that it reaches,
and reaches all of them in some days. What was not reached is skipped with that reason, and so is counted. Tests that
try by chance what nobody has thought of come first on each day.
"""

from __future__ import annotations

import datetime
import itertools
import time
from operator import attrgetter
from typing import Final, TypeVar

import pytest

__all__ = ["pytest_addoption", "pytest_collection_modifyitems", "pytest_runtest_setup", "rotated", "today"]

_T = TypeVar("_T")
_ALWAYS: Final = frozenset({"test_random_references.py", "test_random_surroundings.py"})
_BEGUN: Final = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--budget", type=float, metavar="SECONDS", help="begin no test after so many seconds")
    parser.addoption("--in-order", action="store_true", help="with --budget: begin with what is named first")
    parser.addoption("--thorough", action="store_true", help="have tests of many cases try all, however long it takes")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--budget") is not None and not config.getoption("--in-order"):
        groups = [list(group) for _, group in itertools.groupby(items, key=_module)]
        items[:] = [item for group in rotated(groups, today()) for item in group]
        items.sort(key=lambda item: item.path.name not in _ALWAYS)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    budget: float | None = item.config.getoption("--budget")
    if budget is not None and time.monotonic() - _BEGUN > budget:
        pytest.skip(f"not reached within {budget:g} seconds; another day's run begins with it")


def today() -> datetime.date:
    """Return the day, the same on all machines."""
    return datetime.datetime.now(datetime.timezone.utc).date()


def rotated(groups: list[_T], day: datetime.date) -> list[_T]:
    """Return *groups* in their order, beginning with another one on each *day*, far from the day before's."""
    start = day.toordinal() * (len(groups) * 5 // 13 | 1) % len(groups) if groups else 0
    return groups[start:] + groups[:start]


_module: Final = attrgetter("path")
