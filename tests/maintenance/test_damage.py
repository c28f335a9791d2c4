"""Whatever becomes of all files of a store at once: the right environment, no traceback, and no hang.

Each kind by itself is tried in ``test_grid``.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.maintenance.rehash import rehash
from nox_linkenv.store import Store
from tests.maintenance.damages import DAMAGES
from tests.maintenance.tool import no_hang, run_linkenv
from tests.provision.tool import changed_objects
from tests.support.notes import note_in, write_note
from tests.support.suites import usually
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.tool import Place, Site

_FILES: Final = {
    "tiny/__init__.py": b"VERSION = 'good'\n",
    "tiny/other.py": b"OTHER = 1\n",
    "tiny/data.txt": b"data " * 100,
    "tiny/empty.py": b"",
    "tiny-1.0.data/scripts/hello": b"#!python\nprint('hello')\n",
}
_LISTS: Final = ".cpython-"


def _is_list(path: Path) -> bool:
    return _LISTS in path.name


def _of(pattern: str, *, lists: bool = False) -> Callable[[Place], list[Path]]:
    return lambda place: [path for path in place.site.base.glob(pattern) if _is_list(path) is lists]


def _objects(place: Place) -> list[Path]:
    contents = set(_FILES.values()) - {b""}
    return [path for path in place.site.base.glob("objects/*/*") if path.is_file() and path.read_bytes() in contents]


#: What there is, and where.
KINDS: Final[dict[str, Callable[[Place], list[Path]]]] = {
    "manifest": _of("wheels/*/*.json"),
    "plan": _of("plans/*/*.json"),
    "bytecode index": _of("plans/*/*.json", lists=True),
    "skeleton": _of("skeletons/*.json"),
    "resolution": _of("resolutions/*/*.json"),
    "request": _of("requests/*/*.json"),
    "root": _of("roots/*.json"),
    "object": _objects,
    "bytecode": _of("bytecode/*/*/*.pyc"),
    "discarded": lambda place: [place.site.base / "discarded"],
    "description": lambda place: [place.site.store / "linkenv-store.json"],
    "probe": lambda place: [place.site.base / "probe"],
    "receipt": lambda place: [Path(place.prefix, ".linkenv", "receipt.json")],
    "state": lambda place: list(Path(place.prefix, ".linkenv").glob("*.state")),
    "turn": _of("rehash/*.json"),
    "prebuilt tree": lambda place: list(place.site.base.glob("spares/*/*/.linkenv/*.state")),
}


@pytest.fixture
def place(here: Site) -> Place:
    """A place where an environment stands, and of whatever it was made from there is a file."""
    make_wheel(here.wheels, "tiny", "1.0", _FILES)
    place = here.place("one")
    for _ in range(2):
        place.session(["tiny"], run="import tiny.other, tiny.empty, pip")
    (here.base / "discarded").write_text(f"1 objects/ab/{'c' * 62}\n")
    now = time.time()
    rehash(Store.open(here.store), now=now + 90_000)
    write_note(here.base / "rehash" / "found.json", [[f"objects/ab/{'c' * 62}", 1]])
    os.utime(here.base / "rehash" / "turn.json", (now - 90_000, now - 90_000))
    return place


def _damage(place: Place, kind: str, damage: Callable[[Path], None]) -> int:
    victims = KINDS[kind](place)
    for path in victims:
        if not path.is_symlink() and path.is_file():
            damage(path)
    return len(victims)


def _check(place: Place) -> None:
    """Make the environment once more, which has to be the right one."""
    with no_hang():
        done = place.session(["tiny"], run="import tiny.other, tiny.empty, pip")
    assert place.run("import tiny; print(tiny.VERSION)") == "good"
    assert (place.packages / "tiny" / "data.txt").read_bytes() == _FILES["tiny/data.txt"]
    assert Path(place.prefix, "bin", "hello").read_text() == f"#!{place.prefix}/bin/python\nprint('hello')\n"
    assert "VIRTUAL_ENV" in Path(place.prefix, "bin", "activate").read_text()
    assert done.closing.edited == []


@pytest.mark.parametrize("name", usually(DAMAGES, "flipped", "mistyped", "pipe", "endless", "given_away"))
def test_all_at_once(place: Place, name: str) -> None:
    """Every file of the store, and the environment's own notes, in one go."""
    for kind in KINDS:
        if kind not in ("object", "bytecode") or name not in ("flipped", "huge"):
            _damage(place, kind, DAMAGES[name])
    for command in (["envs"], ["info"], ["verify", "--full"], ["prune", "--dry-run"]):
        run_linkenv(place.site, *command)
    _check(place)
    _check(place)
    assert changed_objects(place.site.base) == []
    # Bytecode that these sessions did not import has not been looked at.
    assert run_linkenv(place.site, "verify", "--full", "--repair") == 0
    assert run_linkenv(place.site, "verify", "--full") == 0


@pytest.mark.parametrize("time", [float("inf"), float("-inf"), float("nan")])
def test_a_time_that_cannot_be_reckoned_with(place: Place, time: float) -> None:
    """JSON as Python reads it knows infinity; whoever can write to a store can give the note the right digest."""
    for kind, names in {"resolution": ("time",), "root": ("since", "until")}.items():
        for path in KINDS[kind](place):
            data = note_in(path)
            write_note(path, {**data, **dict.fromkeys(names, time)})
    for command in (["envs"], ["info"], ["prune", "--dry-run"]):
        assert run_linkenv(place.site, *command) == 0
    _check(place)
