"""One store for all tests of a process: build requirements are fetched once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.projects.tool import Bench
from tests.support.capabilities import require_python
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("projects")


@pytest.fixture
def steady_bench(root: Path, steady_path: Path) -> Callable[[str], Bench]:
    """Return what makes a bench for a version, whose environment has the same path in each run: see ``oracle``."""

    def make(version: str) -> Bench:
        return Bench(root, require_python(version), name=str(steady_path / "environment"))

    return make


@pytest.fixture
def bench(root: Path) -> Bench:
    return Bench(root, require_python(TARGET))
