"""Links in a store, which may come out of somebody's archive: nothing is written or removed where they lead."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.errors import StoreError
from nox_linkenv.maintenance.prune import prune
from nox_linkenv.maintenance.removal import Pruning
from nox_linkenv.store import Store
from nox_linkenv.store.layout import object_name
from nox_linkenv.store.objects import discard
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEVER: Final = float("inf")


@pytest.fixture
def precious(tmp_path: Path) -> Iterator[Path]:
    """A directory with files of somebody's; all of them are there at the end, and no others."""
    home = tmp_path / "home"
    names = ("thesis.txt", "settings.json", "sub/notes.json", "1234-0123/x.json", f"{'ab' * 31}x")
    for name in names:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("precious")
        os.utime(home / name, (1, 1))
    yield home
    assert {path.relative_to(home).as_posix(): path.read_text() for path in home.rglob("*") if path.is_file()} == (
        dict.fromkeys(names, "precious")
    )


@pytest.mark.parametrize(
    "part",
    [
        *("v2", "throwaway", "v2/staging", "v2/resolutions", "v2/plans", "v2/spares", "v2/objects"),
        *("v2/locks", "v2/roots", "v2/projects", "v2/interpreters"),
    ],
)
def test_a_part_that_is_a_link_is_refused(store_dir: Path, precious: Path, tmp_path: Path, part: str) -> None:
    Store.open(store_dir).add(make_wheel(tmp_path))
    path = store_dir / part
    if path.exists():
        path.rename(tmp_path / "away")
    path.symlink_to(precious)
    with pytest.raises(StoreError, match="is a link to another place") as caught:
        Store.open(store_dir)
    assert caught.value.path == path
    assert "Remove the link" in caught.value.remedy


def test_a_list_that_is_a_link_is_made_anew(store_dir: Path, precious: Path, tmp_path: Path) -> None:
    store = Store.open(store_dir)
    (file, *_) = store.add(make_wheel(tmp_path)).files
    path = store_dir / "v2" / "discarded"
    path.symlink_to(precious / "thesis.txt")
    name = object_name(file.address)
    discard(Store.open(store_dir).layout, name)
    assert not path.is_symlink()
    assert path.read_text().endswith(f" {name}\n")


@pytest.mark.parametrize("part", ["plans/ab", "objects/ab", "projects/builds", "spares/abc", "bytecode/cpython-312-x"])
def test_nothing_is_pruned_through_a_link(store_dir: Path, precious: Path, tmp_path: Path, part: str) -> None:
    store = Store.open(store_dir)
    store.add(make_wheel(tmp_path))
    path = Path(store.layout.base, part)
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(precious)
    with pytest.raises(StoreError, match="is a link to another place"):
        prune(store, Pruning(before=_NEVER, grace=0.0, now=_NEVER))
