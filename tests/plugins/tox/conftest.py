"""The two ends of the range of supported tox versions, and the project that they are run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugins.tox.tool import Project
from tests.support.seeds import seed, sow
from tests.support.shared import ROOT, Host, make_host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.oracle import Oracle

_OLDEST = "4.11.0"


@pytest.fixture(scope="session")
def oldest(shared_dir: Path) -> Host:
    """The oldest tox that is supported, with this project as a wheel, in an environment of its own."""
    return Host("oldest", make_host(shared_dir, "oldest-tox", f"tox=={_OLDEST}", str(ROOT)).python)


@pytest.fixture
def make(steady_path: Path, shared_dir: Path, oracle: Oracle) -> Callable[[Host], Project]:
    """Make the small project for a tox, with a store that knows its interpreter and is this test's own."""

    def do(host: Host) -> Project:
        store = sow(seed(shared_dir, host), steady_path / "store")
        return Project.make(steady_path / "project", host, store, oracle=oracle)

    return do


@pytest.fixture
def project(make: Callable[[Host], Project], newest: Host) -> Project:
    """The small project, for the newest tox."""
    return make(newest)
