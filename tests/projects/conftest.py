"""One store for all tests of a process: build requirements are fetched once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.projects.tool import Bench
from tests.support.capabilities import require_python
from tests.support.hooks import hooks
from tests.support.interpreters import TARGET
from tests.support.seeds import sow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["hooks"]


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory, template: Callable[[str], Path]) -> Path:
    root = tmp_path_factory.mktemp("projects")
    sow(template(TARGET), root / "store")
    return root


@pytest.fixture
def steady_bench(root: Path, steady_path: Path) -> Callable[[str], Bench]:
    """Return what makes a bench for a version, whose environment has the same path in each run: see ``oracle``."""

    def make(version: str) -> Bench:
        return Bench(root, require_python(version), name=str(steady_path / "environment"))

    return make


@pytest.fixture
def bench(root: Path) -> Bench:
    return Bench(root, require_python(TARGET))
