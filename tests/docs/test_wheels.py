"""The table of odd wheels says what pip does, and what is done here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.env.planning import CollisionError, Installable, make_plan
from nox_linkenv.errors import UnsupportedWheelError, WheelError
from nox_linkenv.store import Store
from tests.docs.pages import PROJECT
from tests.env.tool import FACTS
from tests.projects.tool import Bench, PipFailedError
from tests.support.odd_wheels import LEFT, STORED
from tests.support.wheels import HOSTILE

if TYPE_CHECKING:
    from pathlib import Path

#: The first words of a row, and wheels of which it is true.
_WHEELS: Final = {
    "files that RECORD does not list": ("unrecorded", "unrecorded-metadata", "no-hash", "no-rows"),
    "hashes in RECORD that are weaker": ("md5", "unknown-hash", "short-hash"),
    "a comma in a RECORD row": ("unquoted-comma",),
    "rows of RECORD that stand there twice": ("row-twice", "size"),
    "the same path at its root": ("two-routes",),
    "its own INSTALLER": ("own-files",),
    "scripts that setuptools made": ("wrappers",),
    "an entry point named `pip`": ("script-pip",),
    "an entry point whose name is no plain word": ("script-blank", "script-drive"),
    "an entry point without a callable": ("script-module", "script-no-attribute"),
    "a path that has `.`": ("here", "backslash", "drive", "empty-segment"),
    "members that are neither stored nor deflated": ("bzip2", "lzma"),
    "two `.data` directories": ("second-data", "other-data"),
    "a path that is a file and a directory": ("file-and-directory",),
    "METADATA of another version": ("other-version",),
    "more than 4 MiB of fields": ("long-record",),
    "no WHEEL, no RECORD": ("no-wheel", "no-record", "future"),
    "another hash than RECORD states": ("forged", "metadata-hash"),
    "a symbolic link": ("symlink", "device", "fifo"),
    "a member that is listed twice": ("twice", "hidden-gap", "second-name", "local-size"),
    "an entry point that leads out": ("script-parent", "script-absolute"),
    "a path that leads out": ("parent", "absolute"),
    "contents that are truncated": ("truncated", "changed-byte"),
}
_ROWS: Final = [
    [cell.strip() for cell in row.strip("|").split("|")]
    for row in re.findall(
        r"^\|.*\|$", (PROJECT / "docs/concepts.md").read_text(encoding="utf-8").partition("## What is linked")[0], re.M
    )[2:]
]
_BUILDERS: Final = {
    **{wheel.id: wheel.build for wheel in HOSTILE},
    **{wheel.id: wheel.build for wheel in (*LEFT, *STORED)},
}


def _wheels(row: list[str]) -> tuple[str, ...]:
    found = [wheels for start, wheels in _WHEELS.items() if row[0].startswith(start)]
    assert len(found) == 1, row
    return found[0]


def test_every_row_is_checked() -> None:
    assert len(_ROWS) == len(_WHEELS)
    for row in _ROWS:
        _wheels(row)


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row[0])
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_what_is_done_here(row: list[str], tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    for name in _wheels(row):
        directory = tmp_path / name
        directory.mkdir()
        try:
            manifest = store.add(_BUILDERS[name](directory))
            make_plan([Installable(manifest, requested=True)], FACTS)
            done = "stored, and told once" if manifest.unhashed else "stored"
        except (UnsupportedWheelError, CollisionError):
            done = "left to pip"
        except WheelError:
            done = "refused"
        assert done == row[2], name


@pytest.mark.slow
@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row[0])
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_what_pip_does(row: list[str], tmp_path: Path, interpreters: dict[str, Path]) -> None:
    if "3.12" not in interpreters:
        pytest.skip("no Python 3.12 here")
    bench = Bench(tmp_path, interpreters["3.12"])
    for name in _wheels(row):
        directory = tmp_path / name
        directory.mkdir()
        wheel = _BUILDERS[name](directory)
        try:
            bench.by_pip(directory, "--no-deps", str(wheel), environ={"PIP_NO_INDEX": "1"})
            done = "installs it"
        except PipFailedError:
            done = "fails"
        assert done == row[1], name
