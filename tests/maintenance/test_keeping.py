"""The setting ``max-size`` is kept by upkeep at the end of a run, least recently used first."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.config import load_settings
from nox_linkenv.errors import SettingsError
from nox_linkenv.maintenance.background import Tasks, perform
from nox_linkenv.maintenance.disk_usage import Disk
from nox_linkenv.store import Store
from tests.cli.tool import age, answer, linkenv, say
from tests.maintenance.test_prune import DAY, drop, manifests
from tests.provision.tool import put_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provision.tool import Site

_LARGE = 400_000
_NAMES = ("old", "middle", "young")


@pytest.fixture
def grown(here: Site) -> Site:
    """Three wheels, used thirty, twenty and ten days ago; their environments are gone."""
    for number, name in enumerate(_NAMES):
        files: dict[str, bytes | str] = {f"{name}__py": "", f"{name}_data__bin": os.urandom(_LARGE)}
        put_wheel(here.wheels, name, **files)
        here.place(name).session([name])
        drop(here, name)
        _age(here, 10 * DAY * (len(_NAMES) - number))
    return here


def _age(site: Site, seconds: float) -> None:
    """Make all that was used today older by so many seconds."""
    now = time.time()
    for path in site.base.rglob("*.json"):
        if now - path.stat().st_mtime < DAY:
            os.utime(path, (now - seconds, now - seconds))


def _size(site: Site) -> int:
    return Disk().tree(str(site.store)).disk


def test_what_was_used_least_recently_goes_first(grown: Site) -> None:
    limit = _size(grown) - _LARGE // 2
    perform(Store.open(grown.store), Tasks(max_size=limit), jobs=1)
    assert manifests(grown) == {"middle", "young"}
    assert _size(grown) <= limit
    perform(Store.open(grown.store), Tasks(max_size=limit - _LARGE), jobs=1)
    assert manifests(grown) == {"young"}
    assert _size(grown) <= limit - _LARGE
    assert answer(grown, "verify", "--full")["findings"] == []


def test_a_store_that_is_small_enough_is_left_alone(grown: Site) -> None:
    def times() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in grown.store.rglob("*") if "locks" not in path.parts}

    before = times()
    perform(Store.open(grown.store), Tasks(max_size=_size(grown) + 100_000), jobs=1)
    assert times() == before


def test_what_environments_are_made_of_stays(grown: Site) -> None:
    grown.place("old").session(["old"])
    _age(grown, 40 * DAY)
    perform(Store.open(grown.store), Tasks(max_size=1), jobs=1)
    assert manifests(grown) == {"old"}
    grown.place("old").run("import old")


def test_only_a_run_that_stored_something_has_it_looked_at(grown: Site) -> None:
    """So that one which links what is there starts nothing after it; but once an hour, for a limit that was lowered."""
    grown.settings = replace(grown.settings, max_size=5)
    turn = grown.base / "rehash" / "turn.json"
    turn.parent.mkdir(exist_ok=True)

    def looked_for(name: str, *arguments: str, hashed: float) -> Tasks:
        place = grown.place(name)
        environment = place.environment()
        place.create(environment)
        place.install(environment, *arguments)
        turn.touch()
        os.utime(turn, (hashed, hashed))
        return environment.end_session({**grown.environ, "CI": ""}).tasks

    now = time.time()
    assert looked_for("first", "young", "middle", hashed=now).max_size == 5
    assert looked_for("second", "young", "middle", hashed=now).max_size == 0, "a warm session"
    assert looked_for("third", "young", "middle", hashed=now - DAY).max_size == 5


def test_tasks_of_several_sessions_add_up() -> None:
    both = Tasks(max_size=9)
    both.extend(Tasks.loads(Tasks(max_size=5).dumps()))
    both.extend(Tasks())
    assert both.max_size == 5
    assert both


def test_it_is_kept_after_a_run(grown: Site) -> None:
    """As a user has it: a command whose process has ended, and upkeep after it."""
    put_wheel(grown.wheels, "new", new__py="")
    limit = _size(grown) - _LARGE // 2
    python = ("--python", str(grown.interpreter))  # what is known of it takes no more room
    linkenv(grown, "run", *python, "--with", "new", "--", "python", "-c", "import new", LINKENV_MAX_SIZE=f"{limit}B")
    linkenv(grown, "wait")
    assert manifests(grown) == {"new", "middle", "young"}
    assert _size(grown) <= limit


def test_prune_keeps_to_it_where_nothing_else_is_said(grown: Site) -> None:
    age(grown.base, DAY)
    limit = _size(grown) - _LARGE // 2
    grown.environ |= {"LINKENV_MAX_SIZE": f"{limit}B"}
    assert answer(grown, "prune", "--older-than", "90d")["removed"].get("wheels") is None
    assert "is more than" not in say(grown, "prune")
    assert len(manifests(grown)) < len(_NAMES)


@pytest.mark.parametrize(("text", "size"), [("5GB", 5 * 10**9), ("2GiB", 2 << 30), ("0", 0)])
def test_a_size_has_a_unit(text: str, size: int, tmp_path: Path) -> None:
    assert load_settings({"LINKENV_MAX_SIZE": text}).max_size == size
    (tmp_path / "pyproject.toml").write_text(f'[tool.linkenv]\nmax-size = "{text}"\n')
    assert load_settings({}, directory=str(tmp_path)).max_size == size
    with pytest.raises(SettingsError) as refused:
        load_settings({"LINKENV_MAX_SIZE": "5"})
    assert "such as 5GB" in refused.value.remedy
