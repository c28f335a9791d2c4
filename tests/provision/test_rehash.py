"""Edits that keep size and date, which nothing but the content shows: found by upkeep, told, and mended."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.maintenance.rehash import rehash
from nox_linkenv.store import Store
from tests.cli.tool import answer
from tests.provision.noticing import BEGIN, END, table
from tests.provision.tool import put_wheel

if TYPE_CHECKING:
    from tests.provision.tool import Place, Site

_HOUR: Final = 3600.0


@pytest.fixture
def tiny(here: Site) -> Path:
    """Return where a session has a file of the store."""
    put_wheel(here.wheels, "tiny", tiny__py="V = 1\n", other__py="V = 2\n")
    place = here.place()
    place.session(["tiny"])
    return place.packages / "tiny.py"


def _edit(path: Path, content: str = "V = 9\n") -> None:
    """Edit the file in place; its size and its modification time stay."""
    status = path.stat()
    path.write_text(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _wait(site: Site, seconds: float = _HOUR) -> None:
    """Have the last turn be so long ago."""
    turn = site.base / "rehash" / "turn.json"
    then = time.time() - seconds - 1.0
    os.utime(turn if turn.exists() else site.base / "probe", (then, then))


def _end(place: Place, **variables: str) -> list[str]:
    """End a session that has done nothing, and return what is said."""
    return place.end(place.environment(), {**place.site.environ, **variables}).messages


def test_it_is_found_within_a_day_of_sessions(here: Site, tiny: Path) -> None:
    place = here.place()
    _edit(tiny)
    assert _end(place) == [], "if it is seen at once, this test shows nothing"
    said = []
    for _ in range(24):
        _wait(here)
        said += _end(place)
    said += _end(place)
    told = [line for line in said if line.startswith("Upkeep has found a stored file with other contents")]
    assert len(told) == 1
    assert "\n" not in told[0]
    assert "Those of env hold the edit too" in told[0]
    assert place.environment().spread_edits() == [tiny.relative_to(place.prefix).as_posix()]
    done = place.session(["tiny"])
    assert any("has been fetched again" in line for line in done.warnings)
    assert tiny.read_text() == "V = 1\n"
    assert place.environment().spread_edits() == []
    assert answer(here, "verify", "--full")["findings"] == []


def test_all_is_hashed_after_a_day_without_sessions(here: Site, tiny: Path) -> None:
    place = here.place()
    _edit(tiny)
    _wait(here, 24 * _HOUR)
    assert not any(line.startswith("Upkeep") for line in _end(place))
    assert any(line.startswith("Upkeep") for line in _end(place))
    assert not any(line.startswith("Upkeep") for line in _end(place)), "told once"


@pytest.mark.parametrize(("seconds", "variables"), [(0.5 * _HOUR, {}), (24 * _HOUR, {"CI": "true"})])
def test_not_all_the_time(here: Site, tiny: Path, seconds: float, variables: dict[str, str]) -> None:
    place = here.place()
    _edit(tiny)
    _wait(here, seconds)
    assert not place.environment().end_session({**here.environ, **variables}).tasks.rehash


def test_bytecode_is_hashed_too_and_what_is_not_named_by_a_digest_is_left(here: Site, tiny: Path) -> None:
    store = Store.open(here.store)
    pyc = next(path for path in here.base.glob("bytecode/*/*/*.pyc") if path.stat().st_size)
    content = bytearray(pyc.read_bytes())
    content[-1] ^= 1
    pyc.unlink()
    pyc.write_bytes(content)
    foreign = here.base / "objects" / "00" / "notes.txt"
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("mine\n")
    assert rehash(store, now=time.time() + 25 * _HOUR) == [pyc.relative_to(here.base).as_posix()]
    assert not pyc.exists()
    assert foreign.exists()


def test_a_turn_that_takes_too_long_goes_on_with_the_next(here: Site, tiny: Path) -> None:
    _edit(tiny)
    last = next(path for path in here.base.glob("objects/*/*") if path.samefile(tiny))
    store, now = Store.open(here.store), time.time() + 25 * _HOUR
    found: list[str] = []
    turns = 0
    while not found and turns < 4:
        ticks = iter(range(10_000))
        found += rehash(store, now=now, clock=lambda: next(ticks) * 0.5)  # noqa: B023
        turns += 1
    assert found == [last.relative_to(here.base).as_posix()]
    assert turns == 1 + int(last.parent.name, 16) // 119


def test_a_damaged_turn_is_begun_anew(here: Site, tiny: Path) -> None:
    turn = here.base / "rehash" / "turn.json"
    store = Store.open(here.store)
    assert rehash(store, now=time.time() + 25 * _HOUR) == []
    turn.write_text("{")
    _wait(here, 25 * _HOUR)
    _edit(tiny)
    assert len(rehash(store, now=time.time())) == 1


@pytest.mark.slow
def test_the_table_in_the_documentation_is_what_happens(here: Site) -> None:
    put_wheel(here.wheels, "tiny", tiny__py="V = 1\n")
    page = Path(__file__).resolve().parents[2] / "docs" / "concepts.md"
    _, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    assert rest.partition(END)[0] == "".join(table(here))
