"""One store for all tests of a process: build requirements are fetched once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.projects.tool import Bench
from tests.support.capabilities import require_python
from tests.support.interpreters import TARGET
from tests.support.seeds import sow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_HOOKS: Final[list[str]] = []


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


@pytest.fixture(scope="session")
def _audited() -> None:
    """Note each call of a hook of a backend, on whatever way it is started."""

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "subprocess.Popen" and isinstance(arguments[1], list):
            _HOOKS.extend(str(word) for word in arguments[1] if word in ("build_wheel", "build_editable"))

    sys.addaudithook(note)


@pytest.fixture
def hooks(_audited: None) -> Iterator[list[str]]:
    """The hooks that build wheels which have been called in this test."""
    _HOOKS.clear()
    yield _HOOKS
    _HOOKS.clear()
