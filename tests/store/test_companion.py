"""Which store is linked from, and how: the decision, and the places for a companion."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.linking import LinkMode
from nox_linkenv.linking.probe import Abilities, mount_of
from nox_linkenv.store import Store
from nox_linkenv.store.link_policy import Arrangement, Option, arrange, companion_places, decide
from tests.store.tool import mount
from tests.support.capabilities import Capability

if TYPE_CHECKING:
    from pathlib import Path

AUTO, CLONE, HARDLINK, SYMLINK, COPY = LinkMode


def option(root: str, *works: LinkMode) -> Option:
    return Option(root, Abilities({mode: f"no {mode.value}" for mode in LinkMode if mode not in works}))


@pytest.mark.parametrize(
    ("asked", "main", "companion", "expected"),
    [
        (AUTO, (HARDLINK, CLONE, SYMLINK), (), Arrangement(HARDLINK, "main")),
        (AUTO, (CLONE, SYMLINK), (HARDLINK,), Arrangement(CLONE, "main", why="no hardlink")),
        (AUTO, (SYMLINK,), (HARDLINK, CLONE), Arrangement(HARDLINK, "other", companion=True, why="no hardlink")),
        (AUTO, (SYMLINK,), (CLONE,), Arrangement(CLONE, "other", companion=True, why="no hardlink")),
        (AUTO, (SYMLINK,), (SYMLINK,), Arrangement(COPY, "main", why="no hardlink")),
        (HARDLINK, (CLONE,), (HARDLINK,), Arrangement(HARDLINK, "other", companion=True, why="no hardlink")),
        (HARDLINK, (CLONE,), (CLONE,), Arrangement(COPY, "main", why="no hardlink")),
        (CLONE, (HARDLINK,), (CLONE,), Arrangement(CLONE, "other", companion=True, why="no clone")),
        (CLONE, (HARDLINK,), (HARDLINK,), Arrangement(COPY, "main", why="no clone")),
        (SYMLINK, (SYMLINK,), (HARDLINK,), Arrangement(SYMLINK, "main")),
        (SYMLINK, (HARDLINK,), (), Arrangement(COPY, "main", why="no symlink")),
        (COPY, (HARDLINK,), (), Arrangement(COPY, "main")),
    ],
)
def test_decision(
    asked: LinkMode, main: tuple[LinkMode, ...], companion: tuple[LinkMode, ...], expected: Arrangement
) -> None:
    found = decide(asked, option("main", *main), [option("other", *companion)])
    assert found == expected
    assert (found.explain() is None) is (found.why is None)


def test_places(tmp_path: Path) -> None:
    directory = str(tmp_path / "project" / ".nox")
    assert list(companion_places(directory, "none")) == []
    assert list(companion_places(directory, str(tmp_path / "mine"))) == [str(tmp_path / "mine")]
    assert list(companion_places("/project/.nox", "")) == ["/project/.nox/.linkenv-store"], "not at the system's top"


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
@pytest.mark.parametrize("name", ["plain", "with space", "with\\backslash", "Grüße"])
def test_mount_points(name: str, tmp_path: Path) -> None:
    """A bind mount counts, whatever its name; a directory below it lies in it."""
    place = tmp_path / name
    place.mkdir()
    with mount("--bind", place, place):
        (place / "below").mkdir()
        assert mount_of(str(place / "below")).point == str(place)
    assert mount_of(str(place)).point != str(place)


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
def test_the_top_of_a_project_is_no_place(tmp_path: Path) -> None:
    """A project that is mounted into a container is a filesystem's top, and not the place to litter."""
    project = tmp_path / "project"
    project.mkdir()
    with mount("--bind", tmp_path / "project", project):
        assert next(companion_places(f"{project}/.nox", "")) == f"{project}/.linkenv-store"
        (project / "noxfile.py").write_text("")
        assert list(companion_places(f"{project}/.nox", "")) == [f"{project}/.nox/.linkenv-store"]


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
def test_someone_elses_companion_is_not_used(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", place):
        store = Store.open(tmp_path / "store")
        found = arrange(AUTO, store.layout, f"{place}/project/.nox")
        assert (found.mode, found.source) == (HARDLINK, f"{place}/.linkenv-store")

        squatted = place / ".linkenv-store"
        squatted.mkdir()
        os.chown(squatted, 65534, 65534)
        found = arrange(AUTO, store.layout, f"{place}/project/.nox")
        assert found.source == f"{place}/project/.nox/.linkenv-store"
        assert os.listdir(place) == [".linkenv-store"]
