"""What lies outside of an environment is never touched, wherever links in it lead."""

from __future__ import annotations

import itertools
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.plugins.pytest.donors import Pool
from tests.cli.tool import linkenv
from tests.provision.tool import Place, Site, site, tree
from tests.support.capabilities import require_python
from tests.support.interpreters import TARGET, directory_of
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

_SITE: Final = directory_of(TARGET)
_FILES: Final = {"pack/__init__.py": b"", "pack/a.py": b"a = 1\n", "pack/deep/b.py": b"b = 1\n", "single.py": b""}
_numbers = itertools.count()


def _everything(root: Path) -> dict[str, tuple[object, ...]]:
    """Return all that can be told of *root* and of what is in it, itself included."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (root, *root.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
        found[os.path.relpath(path, root)] = (status.st_ino, status.st_mode, status.st_uid, content)
    return found


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, template: Callable[[str], Path]) -> Site:
    """A site where a session has been, with bytecode in the store."""
    made = site(tmp_path_factory.mktemp("outside"), require_python(TARGET), template(TARGET))
    made.settings = replace(made.settings, spares=False)
    make_wheel(made.wheels, "demo", "1.0", _FILES)
    make_wheel(made.wheels, "second", "1.0", {"second.py": b"", "pack/more.py": b"", "pack/deep/more.py": b""})
    made.place("first").session(["demo"], ["second"], run="import single, second, pack.a, pack.deep.b")
    return made


@pytest.fixture
def used(here: Site) -> Place:
    """A place where a session has been."""
    place = here.place(f"env{next(_numbers)}")
    place.session(["demo"])
    return place


@pytest.fixture
def outside(used: Place) -> Path:
    """A path at which nothing stands yet."""
    return used.site.root / f"outside-of-{used.name}"


def _moved(part: Path, outside: Path) -> None:
    """Move *part* to *outside*, where more is added."""
    part.rename(outside)
    (outside / "precious.txt").write_text("precious")


def _unrelated(part: Path, outside: Path) -> None:
    """Put a directory with the user's own work at *outside*."""
    for name in ("pack/a.py", f"{_SITE}/pack/a.py", "bin/tool", "donor/precious.txt", "x-spare/y"):
        (outside / name).parent.mkdir(parents=True, exist_ok=True)
        (outside / name).write_text("precious")
    part.rename(part.with_name("away"))


@pytest.mark.parametrize("how", [_moved, _unrelated])
@pytest.mark.parametrize(
    "part", ["", ".linkenv", "bin", "lib", f"lib/python{TARGET}", _SITE, f"{_SITE}/pack", f"{_SITE}/pack/deep"]
)
def test_the_next_environment_takes_nothing_from_outside(
    used: Place, outside: Path, part: str, how: Callable[[Path, Path], None]
) -> None:
    victim = Path(used.prefix, part)
    how(victim, outside)
    victim.symlink_to(outside)
    before = _everything(outside)
    used.session(["demo"])
    assert _everything(outside) == before
    assert tree(used.prefix) == used.fresh_tree(["demo"])


@pytest.mark.parametrize("how", [_moved, _unrelated])
def test_the_end_of_a_session_takes_nothing_from_outside(
    used: Place, outside: Path, how: Callable[[Path, Path], None]
) -> None:
    """Remains of donors are looked for in the environment's own directory, which is a link by now."""
    environment = used.environment()
    used.create(environment)
    ours = Path(used.prefix, ".linkenv")
    how(ours, outside)
    ours.symlink_to(outside)
    before = _everything(outside)
    used.install(environment, "demo")
    used.end(environment)
    assert _everything(outside) == before
    assert not ours.is_symlink()
    assert used.environment().receipt is not None


@pytest.mark.parametrize("name", ["receipt.json", "receipt.new", "STATE"])
def test_notes_in_an_environment_are_not_written_through_links(used: Place, outside: Path, name: str) -> None:
    environment = used.environment()
    used.create(environment)
    (skeleton,) = Path(used.prefix, ".linkenv").glob("*.state")
    used.install(environment, "demo")
    (plan,) = set(Path(used.prefix, ".linkenv").glob("*.state")) - {skeleton}
    environment = used.environment()
    used.create(environment)
    note = Path(used.prefix, ".linkenv", plan.name if name == "STATE" else name)
    outside.write_text("precious")
    note.unlink(missing_ok=True)
    note.symlink_to(outside)
    used.install(environment, "demo")
    assert outside.read_text() == "precious"


def test_prebuilt_trees_are_not_taken_from_outside(here: Site) -> None:
    """Stores come out of caches that others have filled."""
    place = here.place(f"env{next(_numbers)}")
    settings = replace(here.settings, spares=True)
    place.session(["demo"], settings=settings)
    (stem,) = {path.stem for path in Path(place.prefix, ".linkenv").glob("*.state")} & {
        path.stem[:40] for path in here.base.glob("plans/*/*.json")
    }
    outside = here.root / "elsewhere"
    (outside / "documents").mkdir(parents=True)
    (outside / "documents" / "thesis.txt").write_text("precious")
    before = _everything(outside)
    link = here.base / "spares" / stem
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside)
    try:
        here.place(f"env{next(_numbers)}").session(["demo"], settings=settings)
        assert _everything(outside) == before
    finally:
        link.unlink()


@pytest.mark.parametrize("part", ["", ".linkenv", "lib", _SITE])
def test_environments_of_tests_take_nothing_from_outside(used: Place, outside: Path, part: str) -> None:
    """A test may have put links into its environment when that is kept for the next one."""
    receipt = used.environment().receipt
    victim = Path(used.prefix, part)
    _moved(victim, outside)
    victim.symlink_to(outside)
    outside.chmod(0o755)
    before = _everything(outside)
    pool = Pool()
    pool.put(used.prefix, receipt)
    assert _everything(outside) == before
    assert pool.take(lambda _: True) is None


def test_the_command_replaces_only_what_is_an_environment(used: Place, outside: Path) -> None:
    (outside / "here").mkdir(parents=True)
    (outside / "here" / "thesis.txt").write_text("precious")
    (outside / "here" / ".linkenv").symlink_to(f"{used.prefix}/.linkenv")
    done = linkenv(used.site, "create", str(outside / "here"), code=1)
    assert "Something else stands there" in done.stderr
    assert (outside / "here" / "thesis.txt").exists()
