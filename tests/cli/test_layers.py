"""What the command says of companions and lower stores, and that pruning one store breaks no other."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.linking import LinkMode
from tests.cli.tool import answer, say
from tests.linking.modes.filesystems import mounted
from tests.provision.tool import put_wheel, tree
from tests.support.capabilities import Capability

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provision.tool import Site

_NOW = ("--unused", "--grace", "0s")


@pytest.fixture
def furnished(here: Site) -> Site:
    for name in ("first", "second"):
        files: dict[str, bytes | str] = {f"{name}___core__py": f"name = {name!r}\n"}
        put_wheel(here.wheels, name, **files | {f"{name}___data__bin": os.urandom(4000)})
    return here


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
def test_companion(furnished: Site, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=200m", "tmpfs") as disk:
        there = replace(furnished, root=disk)
        there.project.mkdir()
        companion = disk / ".linkenv-store"
        assert answer(there, "info")["here"]["companion_places"][0] == str(companion)
        there.place("one").session(["first"])
        there.place("two").session(["second"])
        found = answer(there, "info")
        assert found["store"]["companions"] == [str(companion)]
        assert (found["here"]["link_mode"], found["here"]["linked_from"]) == ("hardlink", str(companion))
        assert found["here"]["why"]
        assert str(companion) in say(there, "info")
        checks = {check["name"]: check for check in answer(there, "doctor")["checks"]}
        assert checks["links"]["severity"] == "ok"
        assert checks["same filesystem"]["severity"] == "warning"
        one = there.place("one")
        explained = answer(there, "explain", one.prefix, "first/core.py")
        assert explained["mode"] == "hardlink"
        assert explained["object"].startswith(str(companion))
        (usage,) = answer(there, "du", one.prefix)["environments"]
        assert usage["shared_with_store_bytes"] > 0
        assert {entry["state"] for entry in answer(there, "envs")["environments"]} == {"intact"}

        files = _files(companion)
        before = tree(one.prefix)
        answer(there, "prune", *_NOW)
        assert _files(companion) == files, "what environments were made of stays"
        shutil.rmtree(there.place("two").prefix)
        dry = answer(there, "prune", *_NOW, "--dry-run")["removed"]
        removed = answer(there, "prune", *_NOW)["removed"]
        assert removed == dry
        assert removed["companions' files"] == files - _files(companion) > 0
        assert tree(one.prefix) == before
        assert answer(there, "verify", "--full")["findings"] == []
        assert answer(there, "verify", "--store", str(companion), "--full")["findings"] == []


def _files(store: Path) -> int:
    return sum(len(names) for kind in ("objects", "bytecode") for _, _, names in os.walk(store / "v2" / kind))


def test_symlinks_into_a_lower_store(furnished: Site) -> None:
    """The lower store knows of the environment, though the plan of it is in the store above."""
    furnished.place("below").session(["first"])
    shutil.rmtree(furnished.place("below").prefix)
    lower = furnished.store
    upper = replace(furnished.settings, store=f"{lower}-upper", lower_store=str(lower), link_mode=LinkMode.SYMLINK)
    above = replace(furnished, settings=upper)
    place = above.place("above")
    place.session(["first", "second"])
    assert any(path.is_symlink() and path.readlink().is_relative_to(lower) for path in place.packages.rglob("*.py"))
    before = tree(place.prefix)
    assert answer(furnished, "prune", "--store", str(lower), *_NOW)["kept_for_environments"] == 1
    assert answer(above, "prune", *_NOW)["kept_for_environments"] == 1
    assert tree(place.prefix) == before
    place.run("import first.core, second.core")
