"""Damage of every kind is found, named, and put right."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.tool import answer
from tests.provision.tool import changed_objects, put_wheel

if TYPE_CHECKING:
    from tests.provision.tool import Site


@pytest.fixture
def furnished(here: Site) -> Site:
    put_wheel(here.wheels, "first", first___core__py="value = 1\n", first___other__py="other = 1\n")
    here.place("one").session(["first"], run="import first.core")
    return here


def stored(site: Site, name: str) -> Path:
    """Return the object of a file of the environment."""
    return Path(answer(site, "explain", site.place("one").prefix, name)["object"])


def problems(found: dict[str, list[dict[str, str]]]) -> set[str]:
    return {finding["problem"] for finding in found["findings"]}


def test_a_whole_store_is_whole(furnished: Site) -> None:
    found = answer(furnished, "verify", "--full")
    assert found["findings"] == []
    assert found["objects"] > 100
    assert found["bytecode"] > 0


def test_an_edit_is_found_and_repaired(furnished: Site) -> None:
    path = stored(furnished, "first/core.py")
    path.write_text("value = 2\n" * 2)
    found = answer(furnished, "verify", code=1)
    assert problems(found) == {"damaged"}
    found = answer(furnished, "verify", "--repair")
    assert found["findings"][0]["repaired"] == "stored again"
    assert path.read_text() == "value = 1\n"
    assert changed_objects(furnished.base) == []
    assert answer(furnished, "verify", "--full")["findings"] == []


def test_only_hashing_finds_an_edit_that_hides(furnished: Site) -> None:
    path = stored(furnished, "first/core.py")
    before = path.stat()
    path.write_text("value = 7\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert answer(furnished, "verify")["findings"] == []
    assert problems(answer(furnished, "verify", "--full", code=1)) == {"damaged"}
    answer(furnished, "verify", "--full", "--repair")
    assert path.read_text() == "value = 1\n"


def test_what_is_missing_is_stored_again(furnished: Site) -> None:
    path = stored(furnished, "first/other.py")
    path.unlink()
    assert problems(answer(furnished, "verify", code=1)) == {"missing"}
    answer(furnished, "verify", "--repair")
    assert path.read_text() == "other = 1\n"


def test_what_cannot_be_had_again_stays_broken(furnished: Site) -> None:
    path = stored(furnished, "first/other.py")
    path.unlink()
    for wheel in furnished.wheels.iterdir():
        wheel.unlink()
    found = answer(furnished, "verify", "--repair", code=1)
    assert found["broken"] == 1


def test_bytecode_manifest_strangers_and_leftovers(furnished: Site) -> None:
    pyc = next(furnished.base.glob("bytecode/*/*/*.pyc"))
    pyc.write_bytes(pyc.read_bytes()[:10])
    manifest = next(furnished.base.glob("wheels/*/*.json"))
    manifest.write_text("{")
    (furnished.base / "objects" / "note.txt").touch()
    aside = Path(f"{next(furnished.base.glob('plans/*/*.json'))}.aside")
    aside.touch()
    found = answer(furnished, "verify", code=1)
    assert problems(found) == {"damaged", "foreign", "leftover"}
    assert len(found["findings"]) == 4
    found = answer(furnished, "verify", "--repair")
    assert not pyc.exists()
    assert not aside.exists()
    assert problems(answer(furnished, "verify", "--full")) == {"foreign"}
