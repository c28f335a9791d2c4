"""Directories for a moment: what killed processes have left of them goes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.maintenance.prune import prune
from nox_linkenv.maintenance.removal import Pruning
from nox_linkenv.store import Store
from nox_linkenv.store.temporary import sweep_temporary, temporary_name

if TYPE_CHECKING:
    from pathlib import Path

_DAY: Final = 86_400.0


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "tmp"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


def _dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def _left(temporary: Path, name: str, age: float = 0.0) -> Path:
    path = temporary / name
    (path / "env").mkdir(parents=True)
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_what_killed_processes_left_goes(temporary: Path, store_dir: Path) -> None:
    _, _, rest = temporary_name().partition("-")
    dead = _left(temporary, f"linkenv-{_dead()}-{rest}")
    alive = _left(temporary, f"linkenv-{os.getpid()}-{rest}", age=30 * _DAY)
    elsewhere = _left(temporary, "linkenv-1-aaaabbbb", age=_DAY)
    long_ago = _left(temporary, "linkenv-1-aaaacccc", age=30 * _DAY)
    another = _left(temporary, "linkenv-notes", age=30 * _DAY)
    prune(Store.open(store_dir), Pruning(before=0.0, dry=True))
    assert dead.exists()
    prune(Store.open(store_dir), Pruning(before=0.0))
    assert [path.exists() for path in (dead, alive, elsewhere, long_ago, another)] == [False, True, True, False, True]


def test_that_of_others_stays(temporary: Path) -> None:
    """Of another user, by a link, or no directory at all."""
    precious = _left(temporary.parent, "precious")
    for name in ("linkenv-1-aaaabbbb", "linkenv-1-aaaacccc"):
        (temporary / name).symlink_to(precious)
    (temporary / "linkenv-1-aaaadddd").write_text("")
    os.utime(temporary / "linkenv-1-aaaadddd", (1, 1))
    sweep_temporary()
    assert precious.is_dir()
    assert len(list(temporary.iterdir())) == 3
