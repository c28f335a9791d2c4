"""The same request at the same time: pip is asked once, and whoever comes second takes the answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from nox_linkenv.provision.turns import in_turn
from nox_linkenv.store import Store
from tests.provision.tool import PipError, put_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provision.tool import Site


def _together(here: Site, *arguments: str) -> list[tuple[list[str], str]]:
    """Install in two environments at the same time; return, in order, what pip was called for, and what was said."""
    start = threading.Barrier(2)

    def one(name: str) -> tuple[list[str], str]:
        place = here.place(name)
        environment = place.environment()
        place.create(environment)
        start.wait()
        try:
            outcome, calls = place.install(environment, *arguments)
        except PipError as error:
            return ["failed"], str(error)
        assert place.run("import demo; print(demo.VALUE)") == "1"
        return calls, outcome.message

    with ThreadPoolExecutor(2) as pool:
        return sorted(pool.map(one, ("one", "two")))


def test_pip_is_asked_once(here: Site) -> None:
    put_wheel(here.wheels, "demo", demo__py="VALUE = 1\n")
    (second, message), (first, _) = _together(here, "demo")
    assert (first, second) == (["ask"], [])
    assert message.startswith("reused the resolution of")


def test_who_waited_for_a_failure_asks_too(here: Site) -> None:
    found = _together(here, "demo")
    assert [calls for calls, _ in found] == [["failed"], ["failed"]]
    assert all("No matching distribution found for demo" in message for _, message in found)


def test_nobody_waits_for_itself(tmp_path: Path) -> None:
    """A project that needs itself to be built is asked for while it is asked for."""
    store = Store.open(str(tmp_path / "store"))
    with in_turn(store, "a") as waited, in_turn(store, "a") as again:
        assert (waited, again) == (False, False)
    with in_turn(store, "a") as waited:
        assert not waited
