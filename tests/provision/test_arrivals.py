"""Wheels that come while pip still resolves, because it has asked for their metadata."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.parity.compare import tree_differences
from tests.projects.tool import Bench, PipFailedError
from tests.support.capabilities import require_python
from tests.support.index import Index, serving
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    (tmp_path / "made").mkdir()
    with serving(tmp_path / "made") as index:
        index.metadata = True
        index.publish("app", "1.0", "lib<3")
        index.publish("lib", "2.0")
        yield index


@pytest.fixture
def environ(index: Index) -> dict[str, str]:
    return {"PIP_INDEX_URL": index.simple, "PIP_NO_CACHE_DIR": "1"}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, require_python(TARGET))


def _files(index: Index) -> list[str]:
    """Return the names of what was asked for, in that order."""
    return [path.rpartition("/")[2] for _, path in index.requests]


def _check_as_by_pip(bench: Bench, directory: Path, environ: dict[str, str]) -> None:
    """Fail unless pip by itself installs ``app`` as it has just been installed."""
    ours = bench.tree()
    bench.by_pip(directory, "app", environ=environ)
    assert tree_differences(bench.tree(), ours) == []


def _hold(index: Index, until: Callable[[], bool]) -> list[bool]:
    """Have pip wait for the page of ``lib`` *until* something is so; return a list that becomes whether it was."""
    seen: list[bool] = []

    def look(project: str) -> None:
        end = time.monotonic() + 30
        while project == "lib" and not until() and time.monotonic() < end:
            time.sleep(0.02)
        if project == "lib":
            seen.append(until())

    index.on_page = look
    return seen


def test_what_pip_downloads_is_stored_before_it_ends(
    tmp_path: Path, index: Index, bench: Bench, environ: dict[str, str]
) -> None:
    index.metadata = False
    seen = _hold(index, lambda: len(list((tmp_path / "store").glob("v2/wheels/*/*"))) == 1)
    bench.install(tmp_path, "app", environ=environ)
    assert seen == [True]
    assert len([path for _, path in index.requests if path.endswith(".whl")]) == 2
    assert bench.run("python", "-c", "import app, lib; print(app.VERSION, lib.VERSION)").split() == ["1.0", "2.0"]


@pytest.mark.parametrize("json", [True, False])
def test_a_wheel_comes_while_pip_looks_for_the_next_one(
    tmp_path: Path, index: Index, bench: Bench, environ: dict[str, str], json: bool
) -> None:
    index.json = json
    seen = _hold(index, lambda: "app-1.0-py3-none-any.whl" in _files(index))
    bench.install(tmp_path, "app", environ=environ)
    assert bench.calls == ["ask"]
    assert seen == [True]
    assert len([path for _, path in index.requests if path.endswith(".whl")]) == 2
    _check_as_by_pip(bench, tmp_path, environ)


def test_what_pip_turns_down_is_not_installed_and_few_are_tried(
    tmp_path: Path, index: Index, bench: Bench, environ: dict[str, str]
) -> None:
    for version in range(2, 8):
        index.publish("app", f"{version}.0", "lib>3")
    index.delay = 0.3
    bench.install(tmp_path, "app", environ=environ)
    names = _files(index)
    assert len([name for name in names if name.startswith("app-") and name.endswith(".metadata")]) == 7
    assert len([name for name in names if name.startswith("app-") and name.endswith(".whl")]) <= 3
    _check_as_by_pip(bench, tmp_path, environ)


def test_what_is_stored_does_not_come_again(
    tmp_path: Path, index: Index, bench: Bench, environ: dict[str, str]
) -> None:
    index.delay = 0.5
    bench.install(tmp_path, "lib", environ=environ)
    index.requests.clear()
    bench.install(tmp_path, "app", environ=environ)
    assert [path for _, path in index.requests if path.endswith(".whl")] == ["/files/app-1.0-py3-none-any.whl"]


def test_where_pip_fails_nothing_is_left_behind(
    tmp_path: Path, index: Index, bench: Bench, environ: dict[str, str]
) -> None:
    index.delay, index.pause = 0.5, 3.0
    index.publish("app", "2.0", "missing")
    with pytest.raises(PipFailedError, match="missing"):
        bench.install(tmp_path, "app==2.0", environ=environ)
    assert list((tmp_path / "store").glob("v2/staging/*")) == []
    assert list((tmp_path / "store").glob("throwaway/*")) == []
