"""Where tox is told to put an environment, somebody's files may be: they stay, as with tox's own runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugins.tox.tool import ORACLE, PEER, Run, ini
from tests.support.suites import usually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugins.tox.tool import Project

_FILES = ("lib/mine.txt", "bin/mine.sh", "share/mine/data.txt", "include/mine.h", "notes.txt")


def _fill(place: Path) -> None:
    for name in _FILES:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("mine")


def _left(place: Path) -> list[str]:
    return [name for name in _FILES if (place / name).is_file()]


@pytest.mark.parametrize("runner", usually([ORACLE, PEER], PEER))
@pytest.mark.parametrize("how", ["directory", "link"])
def test_a_place_with_files_in_it(project: Project, how: str, runner: str) -> None:
    here = project.root / ("place" if how == "directory" else "elsewhere")
    _fill(here)
    if how == "link":
        (project.root / "place").symlink_to(here)
    command = 'python -c "import tiny; print(tiny.VERSION)"'
    config = ini(f"envdir = {{toxinidir}}/place\ndeps = tiny==1.0\ncommands = {command}")
    told = project.tox(Run(config=config), runner)
    assert ("\n1.0\n" if how == "directory" else "is a link where this environment should live") in told.output
    assert _left(here) == list(_FILES)
