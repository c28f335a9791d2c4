"""Paths of plans: whatever leads out of the environment or the store is refused, and nothing else is."""

from __future__ import annotations

import pytest

from nox_linkenv.env.interpreter.facts import Facts
from nox_linkenv.env.paths import check_paths, check_sources
from tests.env.tool import FACTS

_HASH = f"{'0' * 62}"


@pytest.mark.parametrize(
    "files",
    [
        ["lib/a/b.py", "lib/top.py", "pyvenv.cfg"],
        ["lib/a/..b", "lib/a/...", "lib/a/b.", "lib/.hidden", "lib/a/.linkenv"],
        ["lib/a/back\\slash", "lib/a/with: colon", "lib/a/new\nline", "lib/ä"],
    ],
)
def test_sound_paths(files: list[str]) -> None:
    check_paths(["lib", "lib/a"], files)
    check_paths(["lib/a/__pycache__"], ["lib/a/__pycache__/b.pyc"], inside=["lib", "lib/a"])


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "../x", "lib/../../x", "lib/..", "lib/.", "lib/", "", ".", "..", "lib//x", "lib/./x"),
        *("lib/a", "lib/a/../x", "lib/unknown/x", "lib/a\0b", ".linkenv", ".linkenv/receipt.json"),
    ],
)
def test_files_that_lead_out(path: str) -> None:
    with pytest.raises(ValueError):
        check_paths(["lib", "lib/a"], ["lib/fine.py", path])


@pytest.mark.parametrize(
    "directories",
    [
        ["/etc"],
        [".."],
        ["lib", "lib/.."],
        ["lib//a"],
        ["lib/a", "lib"],
        [""],
        ["a/b"],
        ["lib", "lib/a\0"],
        [".linkenv"],
    ],
)
def test_directories_that_lead_out(directories: list[str]) -> None:
    with pytest.raises(ValueError):
        check_paths(directories)


def test_sound_sources() -> None:
    check_sources([])
    check_sources([f"objects/00/{_HASH}", f"objects/00/{_HASH}x", f"bytecode/cpython-312-cb0d0d0a/00/{_HASH}.pyc"])


@pytest.mark.parametrize(
    "source",
    ["", "/etc/passwd", "../../x", "objects/../../../x", "plans/00/x.json", "objects", "x\0"],
)
def test_sources_elsewhere(source: str) -> None:
    with pytest.raises(ValueError):
        check_sources([f"objects/00/{_HASH}", source])


@pytest.mark.parametrize("place", ["../out", "/out", "lib/../out", ".linkenv", ".linkenv/receipt.json"])
def test_facts_that_lead_out(place: str) -> None:
    data = FACTS.to_json()
    assert Facts.from_json(data) == FACTS
    with pytest.raises(ValueError, match="facts name a place"):
        Facts.from_json({**data, "schemes": {**data["schemes"], "purelib": place}})
