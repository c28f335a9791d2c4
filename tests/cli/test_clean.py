"""``linkenv clean`` beside sessions: what one of them uses, or has just begun to make anew, stays."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.provision.environment import Environment
from nox_linkenv.store import Store
from nox_linkenv.store.roots import Root, register_root
from tests.cli.tool import linkenv
from tests.provision.tool import Place, put_wheel

if TYPE_CHECKING:
    from tests.provision.tool import Site


@pytest.fixture
def old(here: Site) -> Place:
    """An environment that was used last ten days ago."""
    put_wheel(here.wheels, "first", first___core__py="value = 1\n")
    place = here.place()
    place.session(["first"])
    then = time.time() - 864_000
    register_root(Store.open(here.store), Root(place.prefix, place.name, then, then + 1))
    return place


def _clean(place: Place) -> str:
    done = linkenv(place.site, "clean", "--older-than", "1d")
    return done.stdout + done.stderr


def test_what_is_old_goes(old: Place) -> None:
    assert f"removed: {old.prefix}" in _clean(old)
    assert not Path(old.prefix).exists()


def test_what_is_being_made_anew_stays(old: Place) -> None:
    """The clock is asked when the new environment stands there and is not finished yet."""
    before = Path(old.prefix).stat().st_ino
    said: list[str] = []

    def clock() -> float:
        if not said and Path(old.prefix).stat().st_ino != before:
            said.append("")
            said.append(_clean(old))
        return time.time()

    environment = Environment(old.prefix, old.site.settings, session="run", clock=clock)
    old.create(environment)
    assert said, "nothing was removed beside it"
    old.install(environment, "first")
    assert old.run("import first.core; print(first.core.value)") == "1"


def test_what_a_session_uses_again_stays(old: Place) -> None:
    environment = old.environment()
    environment.check()
    _clean(old)
    assert environment.receipt is not None
    assert Path(old.prefix, "pyvenv.cfg").exists()


@pytest.mark.parametrize("what", ["directory", "link"])
def test_what_somebody_has_put_there_since_stays(old: Place, tmp_path: Path, what: str) -> None:
    shutil.rmtree(old.prefix)
    home = tmp_path / "home" if what == "link" else Path(old.prefix)
    home.mkdir()
    (home / "thesis.txt").write_text("precious")
    if what == "link":
        Path(old.prefix).symlink_to(home)
    _clean(old)
    assert Path(old.prefix, "thesis.txt").read_text() == "precious"
