"""The reference says what the code has: commands, settings, variables, options of pytest."""

from __future__ import annotations

import enum
import re
from dataclasses import fields
from typing import Any

import pytest

from nox_linkenv import config
from nox_linkenv.config import Settings
from nox_linkenv.plugins.pytest import pytest_addoption
from tests.docs.pages import PROJECT
from tests.docs.reference import PAGE, commands_page

_REFERENCE = (PROJECT / "docs" / "reference.md").read_text()


def _table(heading: str, first: str) -> list[list[str]]:
    """Return the rows of the table below *heading* whose first head is *first*."""
    section = _REFERENCE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    at = next(number for number, row in enumerate(rows) if row[0] == first)
    return rows[at + 1 :]


def test_commands_are_described_as_they_are() -> None:
    """``python -m tests.docs.reference`` writes the page again."""
    assert PAGE.read_text() == commands_page()


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, enum.Enum):
        return f"`{value.value}`"
    return f"{value:g}"


def test_settings_are_described_as_they_are() -> None:
    rows = {row[0].strip("`"): row for row in _table("Settings", "setting")}
    settings = {field.name.replace("_", "-"): field.default for field in fields(Settings)}
    assert rows.keys() == settings.keys()
    for name, default in settings.items():
        assert rows[name][1] == f"`LINKENV_{name.upper().replace('-', '_')}`"
        if default not in ("", ()):  # none, or a place that is found otherwise
            assert re.split(";", rows[name][3])[0] == _written(default), name
        if isinstance(default, enum.Enum):
            assert rows[name][2] == ", ".join(f"`{choice.value}`" for choice in type(default))


def test_variables_are_described_as_they_are() -> None:
    rows = {row[0].strip("`") for row in _table("Environment variables", "variable")}
    settings = {f"LINKENV_{field.name.upper()}" for field in fields(Settings)}
    assert rows == settings | set(config._OTHERS)


def test_options_of_pytest_are_described_as_they_are() -> None:
    parser = pytest.Parser(_ispytest=True)
    pytest_addoption(parser)
    (group,) = (group for group in parser._groups if group.name == "linkenv")
    options = {name for option in group.options for name in option.names()}
    rows = _table("The pytest plugin", "option")
    assert {row[0].strip("`").split(" ")[0] for row in rows if row[0].startswith("`-")} == options
    said = {name for row in rows for name in re.findall(r"`(linkenv_\w+)`", " ".join(row))}
    assert said == set(parser._inidict)
