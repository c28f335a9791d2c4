"""What is linked is one with the store, and pip inside an environment leaves the store as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.parity.inodes import added_bytes, damaged_objects, linkable, objects, unshared
from tests.parity.stories import BIG, furnish
from tests.parity.tool import PEER, Made, Story, make, spawn
from tests.support.capabilities import Capability, require_python
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.needs(Capability.HARDLINK)]


def _site(made: Made) -> Path:
    return made.root / "lib" / f"python{TARGET}" / "site-packages"


def _made_twice(tmp_path: Path, story: Story) -> tuple[Made, Made]:
    require_python(TARGET)
    project, store = tmp_path / "project", tmp_path / "store"
    story = furnish(project, story)
    first = make(project, story, python=TARGET, backend=PEER, store=store)
    first.root.rename(tmp_path / "first")  # the second one takes its place
    second = make(project, story, python=TARGET, backend=PEER, store=store)
    return Made(tmp_path / "first", first.trees, first.views), second


def _check(first: Made, second: Made, store: Path, expected: int) -> None:
    for made in (first, second):
        files = linkable(made.root, _site(made))
        assert len(files) >= expected
        assert unshared(files, store) == []
    assert damaged_objects(store) == []


@pytest.mark.slow
def test_a_second_sci_environment_costs_next_to_nothing(tmp_path: Path) -> None:
    first, second = _made_twice(tmp_path, BIG["SCI"])
    _check(first, second, tmp_path / "store", 7_000)
    whole, more = added_bytes(first.root), added_bytes(second.root, first.root, tmp_path / "store")
    assert more < 0.02 * whole, f"the second environment adds {more:,} bytes to {whole:,}"


def test_every_file_that_may_be_linked_is(tmp_path: Path) -> None:
    first, second = _made_twice(tmp_path, Story((("ruff", "greenlet", "jupyterlab-pygments"), ("requests",))))
    _check(first, second, tmp_path / "store", 100)


def test_pip_inside_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    require_python(TARGET)
    project, store = tmp_path / "project", tmp_path / "store"
    story = furnish(project, Story((("idna==3.6", "six==1.16.0", "iniconfig", "ruff"),)))
    made = make(project, story, python=TARGET, backend=PEER, store=store)
    before = objects(store)
    for arguments in (
        ("install", "-U", "idna", "six"),
        ("install", "--force-reinstall", "--no-deps", "iniconfig", "ruff", "pip"),
        ("uninstall", "-y", "iniconfig", "ruff", "idna", "six", "pip"),
    ):
        done = spawn(project, made.root, "python", "-m", "pip", *arguments)
        assert done.returncode == 0, done.stderr
        assert damaged_objects(store) == [], f"after pip {' '.join(arguments)}"
    assert objects(store) == before
    left = {path.name for path in _site(made).iterdir()}
    assert not {name for name in left if name.startswith(("idna", "six", "iniconfig", "ruff", "pip-"))}
