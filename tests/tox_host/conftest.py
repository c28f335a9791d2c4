"""The two ends of the range of supported tox versions, and a store that all tests share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tests.environment import clean_environment
from tests.tox_host.tool import Host, Project

if TYPE_CHECKING:
    from collections.abc import Callable

_OLDEST = "4.11.0"
_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def shared_dir(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A directory that all workers of this run have in common."""
    base = tmp_path_factory.getbasetemp()
    place = (base if worker_id == "master" else base.parent) / "tox_host"
    place.mkdir(exist_ok=True)
    return place


@pytest.fixture(scope="session")
def newest() -> Host:
    """The tox that runs beside the tests."""
    return Host("newest", Path(sys.executable))


@pytest.fixture(scope="session")
def oldest(shared_dir: Path) -> Host:
    """The oldest tox that is supported, with this project as a wheel, in an environment of its own."""
    place = shared_dir / "oldest"
    done = shared_dir / "oldest.done"
    python = place / "bin" / "python"
    with FileLock(shared_dir / "oldest.lock"):
        if not done.exists():
            run_checked(sys.executable, "-m", "virtualenv", "--quiet", str(place))
            run_checked(str(python), "-m", "pip", "install", "--quiet", f"tox=={_OLDEST}", str(_ROOT))
            done.touch()
    return Host("oldest", python)


@pytest.fixture
def make(tmp_path: Path, shared_dir: Path) -> Callable[[Host], Project]:
    """Make the small project for a tox."""

    def do(host: Host) -> Project:
        return Project.make(tmp_path / "project", host, shared_dir / "store")

    return do


@pytest.fixture
def project(make: Callable[[Host], Project], newest: Host) -> Project:
    """The small project, for the newest tox."""
    return make(newest)


def run_checked(*command: str) -> None:
    """Run *command*, which must succeed."""
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}{done.stderr}"
