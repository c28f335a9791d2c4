"""Wheels that come while pip still resolves, because it has asked for their metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.parity.compare import tree_differences
from tests.projects.tool import Bench, PipFailedError
from tests.support.capabilities import require_python
from tests.support.index import Index, serving
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def _places(index: Index) -> dict[str, int]:
    """Return where in the order of all requests each file was asked for first."""
    names = [path.rpartition("/")[2] for _, path in index.requests]
    return {name: names.index(name) for name in names}


def test_what_pip_downloads_is_stored_before_it_ends(
    tmp_path: Path, index: Index, bench: Bench, environ: dict[str, str]
) -> None:
    index.metadata, index.delay = False, 1.5
    stored: list[str] = []

    def look(project: str) -> None:
        if project == "lib":
            stored.extend(path.name for path in (tmp_path / "store").glob("v2/wheels/*/*"))

    index.on_page = look
    bench.install(tmp_path, "app", environ=environ)
    assert len(stored) == 1
    assert len([path for _, path in index.requests if path.endswith(".whl")]) == 2
    assert bench.run("python", "-c", "import app, lib; print(app.VERSION, lib.VERSION)").split() == ["1.0", "2.0"]


@pytest.mark.parametrize("json", [True, False])
def test_a_wheel_comes_while_pip_looks_for_the_next_one(
    tmp_path: Path, index: Index, bench: Bench, environ: dict[str, str], json: bool
) -> None:
    index.json, index.delay = json, 1.5
    bench.install(tmp_path, "app", environ=environ)
    assert bench.calls == ["ask"]
    places = _places(index)
    assert places["app-1.0-py3-none-any.whl"] < places["lib-2.0-py3-none-any.whl.metadata"]
    assert len([path for _, path in index.requests if path.endswith(".whl")]) == 2
    ours = bench.tree()
    bench.by_pip(tmp_path, "app", environ=environ)
    assert tree_differences(bench.tree(), ours) == []


def test_what_pip_turns_down_is_not_installed_and_few_are_tried(
    tmp_path: Path, index: Index, bench: Bench, environ: dict[str, str]
) -> None:
    for version in range(2, 8):
        index.publish("app", f"{version}.0", "lib>3")
    index.delay = 0.3
    bench.install(tmp_path, "app", environ=environ)
    names = [path.rpartition("/")[2] for _, path in index.requests]
    assert len([name for name in names if name.startswith("app-") and name.endswith(".metadata")]) == 7
    assert len([name for name in names if name.startswith("app-") and name.endswith(".whl")]) <= 3
    ours = bench.tree()
    bench.by_pip(tmp_path, "app", environ=environ)
    assert tree_differences(bench.tree(), ours) == []


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
