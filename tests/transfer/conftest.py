"""Sites of the warm path's tests, with something in their stores that is worth an archive."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.provision.conftest import _plain_process, here, make_site
from tests.provision.tool import Site, put_wheel
from tests.support.capabilities import Capability, require
from tests.transfer.tool import exported

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["_plain_process", "archive", "elsewhere", "here", "make_site", "used"]


@pytest.fixture
def used(here: Site) -> Site:
    """A site where one session has installed ``one``, and imported of it what the next one finds compiled."""
    require(Capability.ZSTD)
    files = {f"one___part{number}__py": f"VALUE = {number}\n" * 50 for number in range(20)}
    put_wheel(here.wheels, "one", one____init____py="", one___run__py="def main():\n    print('ran')\n", **files)
    put_wheel(here.wheels, "two", two__py="VALUE = 2\n")
    here.place().session(["one"], run="import one.part1, one.run; one.run.main()")
    return here


@pytest.fixture
def elsewhere(used: Site) -> Callable[[str], Site]:
    """Return a function from a name to the same machine with an empty store of that name."""
    return lambda name: replace(used, settings=replace(used.settings, store=str(used.root / name)))


@pytest.fixture
def archive(used: Site) -> Path:
    """All of that store in a file."""
    return exported(used, "--all")
