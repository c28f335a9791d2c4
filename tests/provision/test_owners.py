"""Who owns a store, and who may write to it, whoever works in it, and whatever the umask is."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.config import load_settings
from nox_linkenv.env.assembly.assembler import environment_errors
from nox_linkenv.errors import EnvError
from nox_linkenv.maintenance.prune import prune
from nox_linkenv.maintenance.removal import Pruning
from nox_linkenv.provision.environment import Environment
from nox_linkenv.provision.policy import Creation
from nox_linkenv.store import Store
from tests.store.tool import as_nobody
from tests.support.capabilities import Capability
from tests.support.suites import usually
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.provision.tool import Site

_NOBODY: Final = 65534
_NEVER: Final = float("inf")


def _below(root: Path) -> Iterator[Path]:
    yield root
    yield from root.rglob("*")


@pytest.mark.needs(Capability.ROOT)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_root_puts_into_a_users_store_is_the_users(here: Site) -> None:
    """As with ``sudo``: afterwards the user can add to the store, and prune all of it."""
    with tempfile.TemporaryDirectory(prefix="linkenv-test-") as directory:
        os.chmod(directory, 0o755)
        store = Path(directory, "store")
        if here.store.exists():
            shutil.copytree(here.store, store)
        store.mkdir(exist_ok=True)
        for path in _below(store):
            os.chown(path, _NOBODY, _NOBODY, follow_symlinks=False)
        here.settings = replace(here.settings, store=str(store), spares=True)
        make_wheel(here.wheels, "tiny", "1.0", {"tiny/__init__.py": b"x = 1\n", "tiny/empty.py": b""})
        place = here.place()
        for _ in range(2):
            place.session(["tiny"], run="import tiny.empty, pip")
        kinds = {path.relative_to(store / "v2").parts[0] for path in (store / "v2").rglob("*") if path.is_file()}
        assert {"objects", "wheels", "plans", "bytecode", "resolutions", "roots", "locks", "spares"} <= kinds
        assert [path for path in _below(store) if path.lstat().st_uid != _NOBODY] == []

        def work() -> None:
            prune(Store.open(store), Pruning(before=_NEVER, grace=0.0, now=_NEVER))

        assert as_nobody(work) == ""
        assert [path for path in (store / "v2").rglob("*") if path.is_file() and "objects" in path.parts] == []


@pytest.mark.needs(Capability.ROOT)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("whose", ["the directory of environments", "the environment"])
def test_an_environment_that_root_has_made_is_told_from_one_that_cannot_be_written(whose: str) -> None:
    with tempfile.TemporaryDirectory(prefix="linkenv-test-") as directory:
        os.chmod(directory, 0o755)
        place = Path(directory, ".nox")
        prefix = place / "tests"
        (place / "new").mkdir(parents=True)
        prefix.mkdir()
        if whose == "the environment":
            for path in (place, place / "new"):
                os.chown(path, _NOBODY, _NOBODY)

        class Making:
            @environment_errors
            def replace(self) -> None:
                os.rename(prefix, place / "new" / "donor")

        def work() -> None:
            with pytest.raises(
                EnvError, match=re.escape(f"another user's, and cannot be replaced: {prefix}. As after")
            ):
                Making().replace()

        assert as_nobody(work) == ""


def test_an_environment_that_could_not_be_made_is_not_counted(tmp_path: Path) -> None:
    settings = replace(load_settings(), store=str(tmp_path / "store"))
    environment = Environment(str(tmp_path / "env"), settings, session="tests")

    def by_virtualenv() -> None:
        raise RuntimeError("no such interpreter")

    with pytest.raises(RuntimeError):
        environment.ensure(sys.executable, None, by_virtualenv)
    assert environment.draft.creation is Creation.KEPT


@pytest.mark.needs(Capability.ROOT)
def test_a_new_store_in_a_users_directory_is_the_users(tmp_path: Path) -> None:
    os.chown(tmp_path, _NOBODY, _NOBODY)
    Store.open(tmp_path / "cache" / "store").add(make_wheel(tmp_path))
    assert [path for path in _below(tmp_path / "cache") if path.lstat().st_uid != _NOBODY] == []


@pytest.mark.needs(Capability.ROOT)
def test_root_gives_away_nothing_of_another_name(tmp_path: Path) -> None:
    """Who can write to a directory may have put a link to somebody else's file where root has just written."""
    from nox_linkenv.store.files import give

    users = tmp_path / "users"
    users.mkdir()
    os.chown(users, _NOBODY, _NOBODY)
    precious = tmp_path / "precious"
    precious.write_text("root's")
    os.link(precious, users / "hard")
    (users / "soft").symlink_to(precious)
    for name in ("hard", "soft"):
        give(str(users / name), str(users))
    assert precious.stat().st_uid == 0


def test_nothing_is_for_everybody_to_write(here: Site) -> None:
    before = os.umask(0)
    try:
        here.settings = replace(here.settings, spares=True)
        make_wheel(here.wheels, "tiny", "1.0", {"tiny/__init__.py": b"x = 1\n", "tiny/empty.py": b""})
        place = here.place()
        for _ in range(2):
            place.session(["tiny"], run="import tiny.empty, pip")
        assert list(here.base.glob("spares/*/*"))
        writable = [
            path for path in _below(here.store) if not path.is_symlink() and path.lstat().st_mode & stat.S_IWOTH
        ]
        assert writable == []
        fresh = here.place("other")
        fresh.session(["tiny"])
        assert stat.S_IMODE((fresh.packages / "tiny").stat().st_mode) == 0o777, "as virtualenv and pip make it"
    finally:
        os.umask(before)


@pytest.mark.needs(Capability.ROOT)
@pytest.mark.parametrize(
    ("again", "ended"),
    usually(
        [(again, ended) for again in ("same", "other") for ended in (True, False)], ("same", False), ("other", True)
    ),
)
def test_a_file_that_is_given_away_reaches_no_other_environment(here: Site, again: str, ended: bool) -> None:
    """A hard link has the owner of the store's file: ``chown`` in an environment gives away that, too."""
    here.settings = replace(here.settings, spares=True)
    make_wheel(here.wheels, "tiny", "1.0", {"tiny/__init__.py": b"x = 1\n", "tiny/other.py": b"y = 1\n"})
    place = here.place()
    for _ in range(2):
        place.session(["tiny"], run="import tiny.other, pip")
    environment = place.environment()
    place.create(environment)
    place.install(environment, "tiny")
    given = [path for path in Path(place.prefix).rglob("*") if path.parent.name in ("tiny", "pip", "__pycache__")]
    assert len(given) > 10
    for path in given:
        os.chown(path, _NOBODY, -1, follow_symlinks=False)
    if ended:
        closing = place.end(environment)
        assert any(path.endswith("tiny/other.py") for path in closing.edited)
    target = place if again == "same" else here.place("other")
    for _ in range(2):
        target.session(["tiny"], run="import tiny.other, pip")
        owners = {path: path.lstat().st_uid for path in Path(target.prefix).rglob("*")}
        assert [path for path, owner in owners.items() if owner != os.geteuid()] == []
    assert [path for path in here.base.glob("objects/*/*") if path.lstat().st_uid == _NOBODY] == []
