"""What the first request of all starts and downloads: each thing once."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.config import Settings
from nox_linkenv.env.receipt import read_receipt
from nox_linkenv.errors import WheelError
from nox_linkenv.provision.environment import Environment
from tests.parity.compare import tree_differences
from tests.projects.tool import Bench, PipFailedError
from tests.support.capabilities import require_python
from tests.support.index import Index, serving
from tests.support.interpreters import TARGET, directory_of
from tests.support.wheels import Row, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STARTED: Final[list[list[str]]] = []


@pytest.fixture(scope="session", autouse=True)
def _audit() -> None:
    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "subprocess.Popen" and isinstance(arguments[1], list):
            _STARTED.append([str(word) for word in arguments[1]])

    sys.addaudithook(note)


@pytest.fixture
def started() -> list[list[str]]:
    """The processes that have been started since."""
    _STARTED.clear()
    return _STARTED


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    (tmp_path / "made").mkdir()
    with serving(tmp_path / "made") as index:
        index.publish("app", "1.0", "lib<3")
        for version in ("1.0", "2.0"):
            index.publish("lib", version)
        yield index


@pytest.mark.parametrize("metadata", [False, True], ids=["files-only", "metadata-beside-files"])
def test_what_pip_has_downloaded_is_not_downloaded_again(tmp_path: Path, index: Index, metadata: bool) -> None:
    index.metadata = metadata
    bench = Bench(tmp_path, require_python(TARGET))
    environ = {"PIP_INDEX_URL": index.simple, "PIP_NO_CACHE_DIR": "1"}
    bench.install(tmp_path, "app", environ=environ)
    assert bench.calls == ["ask"]
    files = [path.rpartition("/")[2] for _, path in index.requests if path.endswith(".whl")]
    assert sorted(files) == ["app-1.0-py3-none-any.whl", "lib-2.0-py3-none-any.whl"]
    assert bench.run("python", "-c", "import app, lib; print(app.VERSION, lib.VERSION)").split() == ["1.0", "2.0"]
    ours = bench.tree()
    bench.by_pip(tmp_path, "app", environ=environ)
    assert tree_differences(bench.tree(), ours) == []


def test_what_is_stored_already_is_not_stored_again(tmp_path: Path, index: Index) -> None:
    """When a page says something new, pip downloads all wheels again that its answer names."""
    bench = Bench(tmp_path, require_python(TARGET))
    environ = {"PIP_INDEX_URL": index.simple, "PIP_NO_CACHE_DIR": "1"}
    bench.install(tmp_path, "app", environ=environ)
    manifests = (tmp_path / "store").glob("v2/wheels/*/*")
    before = {path: path.stat().st_ino for path in manifests}
    assert len(before) == 2
    index.publish("lib", "2.1")
    bench.now = 86_400
    bench.calls.clear()
    bench.install(tmp_path, "app", environ=environ)
    assert bench.calls == ["ask"]
    assert {path: path.stat().st_ino for path in before} == before
    assert bench.run("python", "-c", "import app, lib; print(app.VERSION, lib.VERSION)").split() == ["1.0", "2.1"]


def test_what_a_server_does_not_give_is_left_to_pip(tmp_path: Path, index: Index) -> None:
    """It has the words for it, and what comes in its own time is not lost."""
    index.metadata = True
    bench = Bench(tmp_path, require_python(TARGET))
    environ = {"PIP_INDEX_URL": index.simple, "PIP_NO_CACHE_DIR": "1"}
    index.statuses["/files/lib-2.0-py3-none-any.whl"] = 403
    with pytest.raises(PipFailedError, match="403"):
        bench.install(tmp_path, "app", environ=environ)
    index.statuses.clear()
    bench.install(tmp_path, "app", environ=environ)
    assert bench.run("python", "-c", "import app, lib; print(app.VERSION, lib.VERSION)").split() == ["1.0", "2.0"]


def _wrong(rows: list[Row]) -> list[Row]:
    return [(name, digest and f"sha256={'A' * 43}", size) for name, digest, size in rows]


def test_a_wheel_that_is_refused_is_refused_as_ever(tmp_path: Path, index: Index) -> None:
    """What pip has downloaded is not stored unseen."""
    bench = Bench(tmp_path, require_python(TARGET))
    index.add("bad", make_wheel(tmp_path, "bad", "1.0", rows=_wrong))
    with pytest.raises(WheelError, match=r"bad-1\.0"):
        bench.install(tmp_path, "bad", environ={"PIP_INDEX_URL": index.simple})


def _environment(tmp_path: Path, name: str) -> Environment:
    return Environment(str(tmp_path / name), Settings(store=str(tmp_path / "store")), session="test")


def test_pip_is_watched_once_for_each_interpreter(
    tmp_path: Path, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(("VIRTUALENV_", "PYTHON"))]:
        monkeypatch.delenv(name)
    interpreter = str(require_python(TARGET))
    assert _environment(tmp_path, "first").create(interpreter, [])
    assert [command for command in started if "install" in command]
    started.clear()
    second = _environment(tmp_path, "second")
    assert second.create(interpreter, ["--activators=bash"])
    assert started == []
    first, receipt = read_receipt(str(tmp_path / "first")), second.receipt
    assert first is not None
    assert receipt is not None
    assert receipt.skeleton != first.skeleton
    assert receipt.facts == first.facts


def test_the_bytecode_of_that_pip_serves_every_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("VIRTUALENV_", "PYTHON"))]:
        monkeypatch.delenv(name)
    environment = _environment(tmp_path, "environment")
    assert environment.create(str(require_python(TARGET)), [])
    pip = tmp_path / "environment" / directory_of(TARGET) / "pip"
    made = sorted(pip.rglob("*.pyc"))
    assert len(made) > 100
    before = [(path, path.stat().st_ino) for path in made]
    bench = Bench(tmp_path, require_python(TARGET))
    bench.run("python", "-m", "pip", "list")
    after = [(path, path.stat().st_ino) for path in made]
    assert after == before  # the interpreter takes them for its own
