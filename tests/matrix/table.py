"""The table of hosts, targets and suites in the documentation: read, and written with what has just run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.matrix.suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Cells", "read_table", "write_table"]

#: (host, target) -> suite -> what the table says of it.
Cells = dict[tuple[str, str], dict[str, str]]

_BEGIN: Final = "<!-- matrix -->"
_END: Final = "<!-- /matrix -->"
_NOT_RUN: Final = "-"


def read_table(page: Path) -> Cells:
    """Return what the table on *page* says.

    Raises:
        ValueError: the page has no table of ours.
    """
    cells: Cells = {}
    for line in _parts(page)[1].splitlines():
        columns = [column.strip() for column in line.strip("|").split("|")]
        if len(columns) == 2 + len(SUITES) and columns[0][:1].isdigit():
            cells[columns[0], columns[1]] = dict(zip(SUITES, columns[2:], strict=True))
    return cells


def write_table(page: Path, cells: Cells, versions: Mapping[str, str], when: str) -> None:
    """Write *cells* into the table on *page*.

    Args:
        versions: version -> the full one of the interpreter that stood for it.
        when: the day, and on what.

    Raises:
        ValueError: the page has no table of ours.
    """
    before, _, after = _parts(page)
    page.write_text(f"{before}{_BEGIN}\n{''.join(_lines(cells, versions, when))}{_END}{after}", encoding="utf-8")


def _lines(cells: Cells, versions: Mapping[str, str], when: str) -> Iterator[str]:
    yield f"| host | target | {' | '.join(SUITES)} |\n"
    yield f"|---|---|{'---|' * len(SUITES)}\n"
    for host, target in sorted(cells, key=lambda pair: (_number(pair[0]), _number(pair[1]))):
        row = cells[host, target]
        yield f"| {host} | {target} | {' | '.join(row.get(suite, _NOT_RUN) for suite in SUITES)} |\n"
    exact = ", ".join(versions[version] for version in sorted(versions, key=_number))
    yield f"\n{when}, with {exact}.\n"


def _number(version: str) -> tuple[int, bool]:
    return int(version.rpartition(".")[2].rstrip("t")), version.endswith("t")


def _parts(page: Path) -> tuple[str, str, str]:
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    inner, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"{page} has no table between {_BEGIN} and {_END}")
    return before, inner, after
