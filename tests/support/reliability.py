"""``--write-reliability``: tests that count or measure what they have tried write their rows of a page of ``docs``.

A row stands for another one with the same first cell; the rows of tests that have not run stay as they were.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

__all__ = ["Reliability", "pytest_addoption", "pytest_sessionfinish", "reliability", "with_rows"]

#: Takes the table's name, and the cells of a row.
Reliability: TypeAlias = "Callable[[str, tuple[object, ...]], None]"
_DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
#: Pages by the tables that are not in reliability.md.
_ELSEWHERE: Final = {"recipes": "benchmarks-ci.md"}
_ROWS: Final = pytest.StashKey["dict[str, dict[str, str]]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-reliability", action="store_true", help="write what was tried into the pages of docs")
    parser.addoption("--soak", type=float, default=120.0, metavar="SECONDS", help="how long many processes go on")


@pytest.fixture(scope="session")
def reliability(request: pytest.FixtureRequest) -> Reliability:
    """Return a function that takes a row of the page."""
    tables = request.config.stash.setdefault(_ROWS, {})

    def note(table: str, cells: tuple[object, ...]) -> None:
        tables.setdefault(table, {})[str(cells[0])] = f"| {' | '.join(map(str, cells))} |"

    return note


def pytest_sessionfinish(session: pytest.Session) -> None:
    tables = session.config.stash.get(_ROWS, {})
    if session.config.getoption("--write-reliability"):
        for name, rows in tables.items():
            page = _DOCS / _ELSEWHERE.get(name, "reliability.md")
            page.write_text(with_rows(page.read_text(encoding="utf-8"), {name: rows}), encoding="utf-8")


def with_rows(text: str, tables: Mapping[str, Mapping[str, str]]) -> str:
    """Return the page *text* with the rows of *tables*, each by its first cell, in the tables of these names."""
    for name, rows in tables.items():
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        inner, end, after = rest.partition(f"<!-- /{name} -->\n")
        assert begin, f"the page has no table {name}"
        assert end, f"the table {name} has no end"
        head, rule, *lines = inner.splitlines()
        merged = {line.split("|")[1].strip(): line for line in lines} | dict(rows)
        text = "\n".join([before + begin + head, rule, *merged.values(), end + after])
    return text
