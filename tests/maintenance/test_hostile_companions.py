"""A store that came out of somebody's archive cannot have another store pruned as its companion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nox_linkenv.maintenance.prune import prune
from nox_linkenv.maintenance.removal import Pruning
from nox_linkenv.store import Store
from nox_linkenv.store.layers import find_companions, open_companion
from tests.support.wheels import make_wheel

_NEVER = float("inf")


@pytest.fixture
def victim(tmp_path: Path) -> Store:
    """A store of the user's that is nobody's companion."""
    store = Store.open(tmp_path / "victim")
    store.add(make_wheel(tmp_path))
    return store


def _objects(store: Store) -> list[Path]:
    return sorted(Path(store.layout.base).glob("objects/*/*"))


@pytest.mark.parametrize("relative", [False, True])
def test_it_is_not_pruned(victim: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relative: bool) -> None:
    monkeypatch.chdir(tmp_path)
    before = _objects(victim)
    assert before
    hostile = Store.open(tmp_path / "hostile")
    hostile.publish("companions/x.json", json.dumps({"root": "victim" if relative else victim.layout.root}))
    assert list(find_companions(hostile)) == []
    prune(hostile, Pruning(before=_NEVER, grace=0.0, now=_NEVER))
    assert _objects(victim) == before


def test_a_companion_says_whose_it_is(tmp_path: Path) -> None:
    main, other = Store.open(tmp_path / "main"), Store.open(tmp_path / "other")
    place = str(tmp_path / "companion")
    for store in (main, other, main):
        open_companion(place, store)
        assert [found.layout.root for found in find_companions(store)] == [place]
