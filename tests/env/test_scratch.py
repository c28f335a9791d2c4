"""Environments that are gone in a moment, and what is left of those whose process was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.env.temporary import scratch
from nox_linkenv.store import Store
from nox_linkenv.store.temporary import directory_in, temporary_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_KILLED = """
import os, sys
from nox_linkenv.env.temporary import scratch
from nox_linkenv.store import Store
with scratch(Store.open(sys.argv[1]).layout, "env") as directory:
    os.mkdir(f"{directory}/env")
    print(directory, flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory with a path so short that environments below it can be linked."""
    with tempfile.TemporaryDirectory(prefix="linkenv-test-") as directory:
        yield Path(directory)


def test_what_a_killed_process_left_goes_with_the_next(root: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, str(root)], capture_output=True, text=True, check=False)
    left = Path(done.stdout.strip())
    assert (left / "env").is_dir()
    with scratch(Store.open(root).layout, "env") as directory:
        assert not left.exists()
        assert Path(directory).parent == left.parent
        with scratch(Store.open(root).layout, "env"):  # of a process that lives
            assert Path(directory).is_dir()
    assert list(left.parent.iterdir()) == []


def test_others_are_left_alone(root: Path) -> None:
    """Of another container the process numbers say nothing."""
    layout = Store.open(root).layout
    with scratch(layout, "env") as directory:
        place = Path(directory).parent
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    pid, machine = int(dead.stdout), temporary_name().partition("-")[2][:4]
    other = "a" * 4 if machine != "a" * 4 else "b" * 4
    names = [f"{pid}-{other}{'a' * 4}", f"{os.getpid()}-{machine}{'a' * 4}", "something else"]
    for name in names:
        (place / name).mkdir()
    (place / f"{pid}-{machine}{'a' * 4}").mkdir()
    with scratch(layout, "env") as directory:
        assert {path.name for path in place.iterdir()} == {*names, Path(directory).name}


_KILLED_ELSEWHERE = """
import os, sys
from nox_linkenv.store.temporary import directory_in
with directory_in(os.path.realpath(sys.argv[1])) as directory:
    print(directory, flush=True)
    os.kill(os.getpid(), 9)
"""


def test_in_the_directory_of_all_only_our_own_goes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store cannot be written, others have their directories beside ours."""
    monkeypatch.setattr(tempfile, "tempdir", str(root))
    environ = {**os.environ, "TMPDIR": str(root)}
    killed = [sys.executable, "-c", _KILLED_ELSEWHERE, str(root)]
    done = subprocess.run(killed, capture_output=True, text=True, check=False, env=environ)
    left = Path(done.stdout.strip())
    assert left.is_dir()
    assert left.name.startswith("linkenv-")
    stranger = root / left.name.removeprefix("linkenv-")
    stranger.mkdir()
    link = root / f"{left.name[:-1]}{'a' if left.name[-1] != 'a' else 'b'}"
    link.symlink_to(stranger)
    with directory_in(os.path.realpath(root)):
        assert not left.exists()
        assert stranger.is_dir()
        assert link.is_symlink()
