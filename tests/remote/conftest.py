"""Sites that share a remote store: one whose session has filled it, and others that have never met it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.config import RemoteMode
from tests.provision.conftest import _plain_process, here, make_site
from tests.provision.tool import Site, put_wheel
from tests.remote.tool import KEY, PUBLIC, fresh_process, pushed
from tests.support.capabilities import Capability, require
from tests.support.hooks import hooks
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["_plain_process", "here", "hooks", "make_site"]


@pytest.fixture
def writer(here: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site that writes to a directory; one session has installed ``one`` and imported a part of it."""
    require(Capability.REMOTE)
    monkeypatch.setenv("HOME", str(here.root / "home"))
    put_wheel(here.wheels, "one", one____init____py="", one__part1__py="", one___part1__py="VALUE = 1\n" * 50)
    put_wheel(here.wheels, "two", two__py="VALUE = 2\n")
    here.settings = replace(here.settings, remote=(here.root / "remote").as_uri(), remote_mode=RemoteMode.WRITE)
    here.environ |= {"LINKENV_REMOTE_KEY": KEY}
    plain = replace(here.settings, remote="")
    here.place().session(["one"], settings=plain, run="import one.part1")
    return here


@pytest.fixture
def filled(writer: Site) -> Site:
    """The same, all of it written."""
    pushed(writer)
    return writer


@pytest.fixture
def reader(filled: Site, reader_of: Callable[[str], Site]) -> Callable[[str], Site]:
    """The same, when all has been written."""
    del filled
    return reader_of


@pytest.fixture
def reader_of(writer: Site, template: Callable[[str], Path]) -> Callable[[str], Site]:
    """Return a function from a name to the same machine with an empty store, which trusts the writer."""

    def make(name: str) -> Site:
        fresh_process()
        shutil.copytree(template(TARGET), writer.root / name)  # it knows the bare environment, and nothing else
        settings = replace(
            writer.settings, store=str(writer.root / name), remote_mode=RemoteMode.READ, remote_keys=(PUBLIC,)
        )
        return replace(writer, settings=settings)

    return make
