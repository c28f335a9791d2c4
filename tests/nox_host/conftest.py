"""The two ends of the range of supported nox versions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tests.environment import clean_environment
from tests.nox_host.tool import Host

if TYPE_CHECKING:
    from collections.abc import Callable

_OLDEST = "2024.3.2"
_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def shared_dir(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A directory that all workers of this run have in common."""
    base = tmp_path_factory.getbasetemp()
    place = (base if worker_id == "master" else base.parent) / "nox_host"
    place.mkdir(exist_ok=True)
    return place


@pytest.fixture(scope="session")
def newest() -> Host:
    """The nox that runs beside the tests."""
    return Host("newest", Path(sys.executable))


@pytest.fixture(scope="session")
def oldest(shared_dir: Path) -> Host:
    """The oldest nox that is supported, with this project as a wheel, in an environment of its own."""
    place = shared_dir / "oldest"
    done = shared_dir / "oldest.done"
    python = place / "bin" / "python"
    with FileLock(shared_dir / "oldest.lock"):
        if not done.exists():
            _run(sys.executable, "-m", "virtualenv", "--quiet", str(place))
            _run(str(python), "-m", "pip", "install", "--quiet", f"nox=={_OLDEST}", str(_ROOT))
            done.touch()
    return Host("oldest", python)


@pytest.fixture(params=["newest", "oldest"])
def host(request: pytest.FixtureRequest) -> Host:
    """Each end of the range in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Host)
    return found


@pytest.fixture(scope="session")
def once(shared_dir: Path) -> Callable[[str, Callable[[Path], None]], Path]:
    """Let one worker alone do something, in a directory that all can read afterwards."""

    def do(name: str, work: Callable[[Path], None]) -> Path:
        place = shared_dir / name
        with FileLock(shared_dir / f"{name}.lock"):
            if not place.exists():
                work(shared_dir / f"{name}.partly")
                (shared_dir / f"{name}.partly").rename(place)
        return place

    return do


def _run(*command: str) -> None:
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}{done.stderr}"
