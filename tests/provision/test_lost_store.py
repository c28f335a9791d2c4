"""A store that is removed, moved or unmounted while a session runs: one clear error, and the next session is right."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.errors import StoreUnwritableError
from tests.support.suites import usually
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.provision.tool import Site


def _removed(store: Path) -> None:
    shutil.rmtree(store)


def _moved(store: Path) -> None:
    store.rename(f"{store}-moved")


def _unmounted(store: Path) -> None:
    """What is left is the directory that it was mounted at."""
    shutil.rmtree(store)
    store.mkdir()


def _format(store: Path) -> None:
    shutil.rmtree(store / "v2")


_WAYS: Final = (_removed, _moved, _unmounted, _format)


@pytest.mark.parametrize(
    ("before", "lose"),
    usually(
        [(before, lose) for before in (False, True) for lose in _WAYS],
        *((False, lose) for lose in _WAYS),
        (True, _unmounted),
    ),
)
def test_an_install_says_so(here: Site, before: bool, lose: Callable[[Path], None]) -> None:
    make_wheel(here.wheels, "first", "1.0", {"first.py": b"x = 1\n"})
    make_wheel(here.wheels, "second", "1.0", {"second.py": b"x = 2\n"})
    place = here.place()
    if before:
        place.session(["first"], ["second"])
    environment = place.environment()
    place.create(environment)
    place.install(environment, "first")
    lose(here.store)
    with pytest.raises(StoreUnwritableError, match="is not there any more") as caught:
        place.install(environment, "second")
    assert str(caught.value.path) == str(here.store)
    closing = environment.end_session(here.environ)
    assert (closing.messages, closing.edited) == ([], [])
    assert not os.path.exists(here.store / "v2"), "nothing is made where it was"


@pytest.mark.parametrize("lose", _WAYS)
def test_the_end_of_a_session_says_nothing(here: Site, lose: Callable[[Path], None]) -> None:
    """Its environment is whole: files of it are their own by now."""
    make_wheel(here.wheels, "first", "1.0", {"first.py": b"x = 1\n"})
    place = here.place()
    environment = place.environment()
    place.create(environment)
    place.install(environment, "first")
    lose(here.store)
    assert place.run("import first; print(first.x)") == "1"
    assert environment.end_session(here.environ).messages == []


def test_locks_alone(here: Site) -> None:
    make_wheel(here.wheels, "first", "1.0", {"first.py": b"x = 1\n"})
    place = here.place()
    environment = place.environment()
    place.create(environment)
    shutil.rmtree(here.base / "locks")
    place.install(environment, "first")
    assert place.run("import first; print(first.x)") == "1"
