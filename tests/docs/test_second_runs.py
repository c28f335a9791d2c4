"""The table of second runs in the reference has one line for each situation that its script tries, in its form."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.second_runs import BEGIN, END, SITUATIONS

_REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"
_ROW = re.compile(r"\| (.+?) \| \d+\.\d \| \d+\.\d \| ((?:reused|renewed|built|asked pip: |left to pip: ).*) \|")


def test_each_situation_has_its_line() -> None:
    text = _REFERENCE.read_text()
    assert text.count(BEGIN) == text.count(END) == 1
    head, line, *rows = text.partition(BEGIN)[2].partition(END)[0].splitlines()
    assert head == "| what is installed | first, s | second, s | what the second says |"
    assert line == "|---|---|---|---|"
    found = [_ROW.fullmatch(row) for row in rows]
    assert all(found), rows
    assert [row[1] for row in found if row is not None] == [situation.name for situation in SITUATIONS]
