"""The two ends of the range of supported nox versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.seeds import seed
from tests.support.shared import ROOT, Host, make_host

if TYPE_CHECKING:
    from pathlib import Path

_OLDEST = "2024.3.2"


@pytest.fixture(scope="session")
def oldest(shared_dir: Path) -> Host:
    """The oldest nox that is supported, with this project as a wheel, in an environment of its own."""
    return Host("oldest", make_host(shared_dir, "oldest-nox", f"nox=={_OLDEST}", str(ROOT)).python)


@pytest.fixture
def seeded(host: Host, shared_dir: Path) -> Path:
    """A store that knows the interpreter of the host."""
    return seed(shared_dir, host)


@pytest.fixture(params=["newest", "oldest"])
def host(request: pytest.FixtureRequest) -> Host:
    """Each end of the range in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Host)
    return found
