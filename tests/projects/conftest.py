"""One store for all tests of a process: build requirements are fetched once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.projects.tool import Bench

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("projects")


@pytest.fixture
def bench(root: Path, interpreters: dict[str, Path]) -> Bench:
    if "3.12" not in interpreters:
        pytest.skip("no Python 3.12 here")
    return Bench(root, interpreters["3.12"])
