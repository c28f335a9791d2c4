"""The comparison itself: nothing between two virtualenvs, and every planted difference found."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.parity.compare import tree_differences, view_differences
from tests.parity.snapshot import snapshot
from tests.parity.stories import furnish
from tests.parity.tool import ORACLE, Story, compare, make
from tests.support.capabilities import require_python
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_RECORD = "pkg.py,sha256=abc,5\n__pycache__/pkg.pyc,,\npkg-1.dist-info/INSTALLER,sha256=x,4\npkg-1.dist-info/RECORD,,\n"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    oracle = tmp_path / "oracle"
    (oracle / "pkg-1.dist-info").mkdir(parents=True)
    (oracle / "__pycache__").mkdir()
    (oracle / "__pycache__" / "pkg.pyc").write_bytes(b"code")
    (oracle / "pkg.py").write_text("A = 1")
    (oracle / "pkg.so").write_bytes(b"\xff\x00")
    (oracle / "python").symlink_to("/usr/bin/python3")
    (oracle / "pkg-1.dist-info" / "RECORD").write_text(_RECORD)
    (oracle / "pkg-1.dist-info" / "INSTALLER").write_text("pip\n")
    peer = tmp_path / "peer"
    shutil.copytree(oracle, peer, symlinks=True)
    return oracle, peer


def _allowed(peer: Path) -> None:
    info = peer / "pkg-1.dist-info"
    info.joinpath("RECORD").write_text("\n".join(reversed(_RECORD.replace("=x,4", "=y,12").splitlines())) + "\n")
    info.joinpath("INSTALLER").write_text("nox-linkenv\n")
    shutil.rmtree(peer / "__pycache__")
    (peer / ".linkenv").mkdir()
    (peer / ".linkenv" / "receipt.json").write_text("{}")
    os.utime(peer / "pkg.py", (1, 1))


def test_what_is_set_aside_is_no_difference(pair: tuple[Path, Path]) -> None:
    _allowed(pair[1])
    assert tree_differences(snapshot(pair[0]), snapshot(pair[1])) == []


def _relink(peer: Path) -> None:
    (peer / "python").unlink()
    (peer / "python").symlink_to("/usr/bin/python4")


def _symlinked(peer: Path) -> None:
    (peer / "pkg.py").rename(peer / "aside.py")
    (peer / "pkg.py").symlink_to("aside.py")


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (
            lambda peer: (peer / "pkg.py").write_text("A = 2"),
            "pkg.py: text differs\n    @@ -1 +1 @@\n    -A = 1\n    +A = 2",
        ),
        (lambda peer: (peer / "pkg.so").write_bytes(b"\xff\x01"), "pkg.so: bytes differ"),
        (lambda peer: (peer / "pkg.py").chmod(0o755), "pkg.py: mode differs, the oracle has 0644, here it is 0755"),
        (lambda peer: (peer / "pkg-1.dist-info").chmod(0o700), "pkg-1.dist-info: mode differs"),
        (lambda peer: (peer / "pkg.so").unlink(), "pkg.so: missing"),
        (lambda peer: (peer / "more").mkdir(), "more: unexpected dir"),
        (lambda peer: (peer / "more.py").write_text(""), "more.py: unexpected file"),
        (_relink, "python: link target differs"),
        (_symlinked, "pkg.py: kind differs, the oracle has a file, here it is a link"),
        (lambda peer: (peer / "pkg-1.dist-info" / "INSTALLER").write_text("uv\n"), "INSTALLER: text differs"),
        (
            lambda peer: (peer / "pkg-1.dist-info" / "RECORD").write_text(_RECORD.replace("abc", "abd")),
            "+pkg.py,sha256=abd,5",
        ),
        (
            lambda peer: (peer / "pkg-1.dist-info" / "RECORD").write_text(_RECORD + "pkg.so,sha256=1,2\n"),
            "+pkg.so,sha256=1,2",
        ),
    ],
)
def test_a_planted_difference_is_told(pair: tuple[Path, Path], plant: Callable[[Path], object], words: str) -> None:
    plant(pair[1])
    told = tree_differences(snapshot(pair[0]), snapshot(pair[1]))
    assert words in "\n".join(told)


def test_differences_of_views_are_told() -> None:
    told = view_differences(
        {"a": {"b": 1, "c": [1]}, "t": "x\ny", "l": [1, 2]}, {"a": {"b": 2, "d": 3}, "t": "x\nz", "l": [2, 3]}
    )
    assert told == [
        "/a/b: the oracle has 1, here it is 2",
        "/a/c: missing, the oracle has [1]",
        "/a/d: unexpected 3",
        "/l: missing, the oracle has 1",
        "/l: unexpected 3",
        "/t: text differs\n    @@ -2 +2 @@\n    -y\n    +z",
    ]


@pytest.mark.slow
@pytest.mark.network
def test_the_oracle_equals_itself_and_not_another_story(tmp_path: Path) -> None:
    require_python(TARGET)
    project, store = tmp_path / "project", tmp_path / "store"
    story = furnish(project, Story((("six==1.17.0",), ("wheels/awkward_dist-1.0-py3-none-any.whl",))))
    other = Story((("six==1.16.0",), story.steps[1]))
    first = make(project, story, python=TARGET, backend=ORACLE, store=store)
    again = make(project, story, python=TARGET, backend=ORACLE, store=store)
    changed = make(project, other, python=TARGET, backend=ORACLE, store=store)
    assert compare(first, again, story) == []
    told = "\n".join(compare(first, changed, story))
    assert "six-1.17.0.dist-info/METADATA: missing" in told
    assert "six.py: text differs" in told
    assert "views/importlib.metadata/six/version: the oracle has '1.17.0', here it is '1.16.0'" in told
