"""Notes with the right digest and another shape, and the notes of projects, sdists and pages: no traceback, no hang."""

from __future__ import annotations

import math
import shutil
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.maintenance.damages import DAMAGES
from tests.maintenance.tool import no_hang, run_linkenv
from tests.projects.readers import CASES, World
from tests.provision.tool import Place, Site, site
from tests.support.capabilities import require_python
from tests.support.index import serving
from tests.support.interpreters import TARGET
from tests.support.notes import note_in, write_note
from tests.support.suites import usually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_KINDS: Final = {
    "pages": "pages/*/*.json",
    "builds": "projects/builds/*.json",
    "answers": "projects/answers/*.json",
    "sdists": "projects/sources/*.json",
    "resolutions": "resolutions/*/*.json",
    "requests": "requests/*/*.json",
    "plans": "plans/*/*.json",
    "skeletons": "skeletons/*.json",
    "wheels": "wheels/*/*.json",
    "roots": "roots/*.json",
    "interpreters": "interpreters/*.json",
}
_PROJECTS: Final = ("pages", "builds", "answers", "sdists")
#: What stands in place of a value, or of the whole.
_VALUES: Final[dict[str, object]] = {
    "number": 7,
    "text": "x",
    "nothing": None,
    "list": [7],
    "object": {"a": 7},
    "infinite": math.inf,
    "minus infinite": -math.inf,
    "no number": math.nan,
    "huge": 10**400,
    "negative": -1,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, template: Callable[[str], Path]) -> Iterator[Site]:
    """A site where a wheel of an index, a project and an sdist have been installed."""
    made = site(tmp_path_factory.mktemp("notes"), require_python(TARGET), template(TARGET))
    with serving(made.wheels) as index:
        made.environ |= {"PIP_INDEX_URL": index.simple, "PIP_TIMEOUT": "2", "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
        del made.environ["PIP_NO_INDEX"], made.environ["PIP_FIND_LINKS"]
        index.publish("app", "1.0")
        world = World(made.root / "world")
        world.write(CASES["variable with getenv"])
        world.sdist()
        for _ in range(2):
            _sessions(made)
        shutil.copytree(made.store, made.root / "kept", symlinks=True)
        shutil.copytree(made.project, made.root / "kept-project", symlinks=True)
        yield made


@pytest.fixture
def here(made: Site) -> Site:
    for name, kept in ((made.store, "kept"), (made.project, "kept-project")):
        shutil.rmtree(name)
        shutil.copytree(made.root / kept, name, symlinks=True)
    return made


def _place(here: Site) -> Place:
    return here.place("env")


def _sessions(here: Site) -> None:
    with no_hang():
        done = _place(here).session(["app"], [str(here.root / "world/around/project")])
        assert len(done.outcomes) == 2
        _place(here).run("import app, demo")
    with no_hang():
        here.place("sdist").session([f"demo @ {(here.root / 'world/links/demo-1.0.tar.gz').as_uri()}"])
        here.place("sdist").run("import demo")


def _notes(here: Site, kind: str) -> list[Path]:
    found = [path for path in here.base.glob(_KINDS[kind]) if path.is_file()]
    assert found, f"there are no {kind}"
    return found


def _commands(here: Site) -> None:
    for command in (
        ["envs"],
        ["info"],
        ["du"],
        ["verify"],
        ["prune", "--dry-run"],
        ["prune", "--unused", "--grace", "0s"],
    ):
        assert run_linkenv(here, *command) in (0, 1), command


def _changed(data: Any, value: object, depth: int) -> Any:
    """Return *data* with every value at *depth* replaced by *value*."""
    if depth == 0:
        return value
    if isinstance(data, dict):
        return {name: _changed(old, value, depth - 1) for name, old in data.items()}
    return [_changed(old, value, depth - 1) for old in data] if isinstance(data, list) else data


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
def test_notes_of_projects_and_pages(here: Site, name: str) -> None:
    for kind in _PROJECTS:
        for path in _notes(here, kind):
            DAMAGES[name](path)
    _commands(here)
    _sessions(here)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("value", _VALUES)
def test_every_note_of_another_shape(here: Site, value: str, depth: int) -> None:
    for kind in _KINDS:
        for path in _notes(here, kind):
            write_note(path, _changed(note_in(path), _VALUES[value], depth))
    _sessions(here)
    _commands(here)


@pytest.mark.parametrize("time", usually([math.inf, -math.inf, math.nan, 1e300, -1e300], math.inf, math.nan))
def test_a_time_that_is_none(here: Site, time: float) -> None:
    for kind in ("resolutions", "builds", "answers", "pages"):
        for path in _notes(here, kind):
            data = note_in(path)
            if kind == "pages":
                data[-1] = time
            elif "time" in data:
                data |= {"time": time, "pinned": True}
            write_note(path, data)
    _sessions(here)
    _commands(here)
