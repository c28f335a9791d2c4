"""Test suites that use the plugin, run by a real pytest, and what they leave on the disk."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.plugins.pytest.tool import Suite, furnish_wheels
from tests.support.environment import clean_environment
from tests.support.processes import remove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def shared(shared_dir: Path) -> Path:
    """A directory that all workers of this run have in common."""
    place = shared_dir / "pytest_plugin"
    place.mkdir(exist_ok=True)
    furnish_wheels(place)
    return place


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A directory for temporary files with a short path: a shebang holds no more than 127 bytes."""
    base = Path(tempfile.mkdtemp(prefix="suite-"))
    (base / "tmp").mkdir()
    yield base / "tmp"
    remove(base)


@pytest.fixture
def make_suite(
    shared: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[[], Suite]:
    """Make a suite; asked late, so that tests which need no pytester can do without it."""

    def make() -> Suite:
        for name in set(os.environ) - set(clean_environment()):
            monkeypatch.delenv(name)
        for name, value in clean_environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("TMPDIR", str(temporary))
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))  # what the variable is to a process not yet begun
        monkeypatch.setenv("LINKENV_STORE", str(shared / "store"))
        monkeypatch.setenv("LINKENV_SPARES", "0")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(shared / "wheels"))
        monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
        monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)
        return Suite(request.getfixturevalue("pytester"), temporary, sys.executable)

    return make


@pytest.fixture
def suite(make_suite: Callable[[], Suite]) -> Suite:
    """A suite in a directory of its own, with pytest's configuration in ``pytest.ini``."""
    return make_suite()
