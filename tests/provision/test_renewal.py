"""Whole sessions whose resolutions are too old: pip is asked again only where an index says something new."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.provision.tool import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.provision.tool import Site
    from tests.support.index import Index

_DAY = 86_400


@pytest.fixture
def index(here: Site) -> Iterator[Index]:
    """App 1.0, which wants ``lib<3``, and lib 1.0 and 2.0."""
    with served(here) as index:
        index.publish("app", "1.0", "lib<3")
        for version in ("1.0", "2.0"):
            index.publish("lib", version)
        yield index


def test_an_old_resolution_is_renewed(here: Site, index: Index) -> None:
    place, began = here.place(), time.time()
    assert place.session(["app"], now=began).calls == ["ask"]
    index.requests.clear()
    again = place.session(["app"], now=began + _DAY)
    assert again.calls == []
    assert again.messages == ["renewed the resolution of 24 h ago"]
    assert sorted(index.pages) == ["app", "lib"]
    assert place.run("import lib; print(lib.VERSION)") == "2.0"
    later = place.session(["app"], now=began + _DAY + 300)
    assert later.messages == ["reused the resolution of 5 min ago"]
    assert sorted(index.pages) == ["app", "lib"]


def test_what_is_new_is_installed(here: Site, index: Index) -> None:
    place, began = here.place(), time.time()
    place.session(["app"], now=began)
    index.publish("lib", "2.1")
    again = place.session(["app"], now=began + _DAY)
    assert again.calls == ["ask"]
    assert again.messages == [
        f"asked pip: the resolution is too old, and {index.simple}lib/ has changed",
    ]
    assert place.run("import lib; print(lib.VERSION)") == "2.1"
    index.yank("lib", "lib-2.1-py3-none-any.whl")
    assert place.session(["app"], now=began + 2 * _DAY).calls == ["ask"]
    assert place.run("import lib; print(lib.VERSION)") == "2.0"
    assert place.session(["app"], now=began + 3 * _DAY).calls == []


def test_the_sessions_of_a_queue_ask_for_a_page_once(here: Site, index: Index) -> None:
    began = time.time()
    for name, wanted in (("one", "app"), ("two", "lib"), ("three", "app")):
        here.place(name).session([wanted], now=began)
    index.requests.clear()
    for name, wanted in (("one", "app"), ("two", "lib"), ("three", "app")):
        assert here.place(name).session([wanted], now=began + _DAY).calls == []
    assert sorted(index.pages) == ["app", "lib"]


@pytest.mark.parametrize(("moment", "asks"), [("2031-01-01T00:00:00Z", False), ("P3D", True)])
def test_what_was_uploaded_before(here: Site, index: Index, moment: str, asks: bool) -> None:
    place, began = here.place(), time.time()
    wanted = ["--uploaded-prior-to", moment, "app"]
    assert place.session(wanted, now=began).calls == ["ask"]
    again = place.session(wanted, now=began + _DAY)
    assert again.calls == (["ask"] if asks else [])
    why = "asked pip: the resolution is too old, and what pip takes depends on the time"
    assert again.messages == [why if asks else "renewed the resolution of 24 h ago"]
    index.publish("lib", "2.1")
    assert place.session(wanted, now=began + 2 * _DAY).calls == ["ask"]
    assert place.run("import lib; print(lib.VERSION)") == "2.1"


def test_it_can_be_switched_off(here: Site, index: Index) -> None:
    place, began = here.place(), time.time()
    place.session(["app"], now=began)
    again = place.session(["app"], now=began + _DAY, settings=replace(here.settings, renew=False))
    assert again.calls == ["ask"]
    assert again.messages == ["asked pip: the resolution is too old"]
    never = place.session(["app"], now=began + _DAY, settings=replace(here.settings, resolution_age=0.0))
    assert never.calls == ["ask"]


def test_with_an_index_that_is_down_pip_has_its_say(here: Site, index: Index) -> None:
    from tests.provision.tool import PipError

    place, began = here.place(), time.time()
    place.session(["app"], now=began)
    index.statuses = {"/simple/app/": 503, "/simple/lib/": 503}
    with pytest.raises(PipError, match="No matching distribution found for app"):
        place.session(["app"], now=began + _DAY)
    offline = place.session(["app"], now=began + _DAY, settings=replace(here.settings, offline=True))
    assert offline.calls == []
    index.statuses = {}
    assert place.session(["app"], now=began + _DAY).calls == []


def test_a_damaged_wheel_is_had_again(here: Site, index: Index) -> None:
    place, began = here.place(), time.time()
    place.session(["app"], now=began)
    for path in here.base.glob("objects/*/*"):
        if path.read_bytes() == b"VERSION = '2.0'\n":
            path.unlink()
            path.write_bytes(b"damaged")
    place.session(["app"], now=began + _DAY, settings=replace(here.settings, spares=False))
    assert place.run("import lib; print(lib.VERSION)") == "2.0"
