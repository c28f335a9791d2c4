"""What ``verify`` names as the remedy mends what it has found."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.cli.tool import linkenv, say
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from tests.provision.tool import Site


@pytest.mark.parametrize("kind", ["bytecode/*/*/*.pyc", "objects/*/*"])
def test_what_only_hashing_finds_is_mended_by_what_is_named(here: Site, kind: str) -> None:
    make_wheel(here.wheels, "tiny", "1.0", {"tiny.py": b"VERSION = 'good'\n"})
    here.place("one").session(["tiny"], run="import tiny")
    victims = [path for path in here.base.glob(kind) if b"good" in path.read_bytes()]
    (victim,) = [path for path in victims if path.stat().st_size < 500]
    status = victim.stat()
    victim.chmod(0o644)
    victim.write_bytes(victim.read_bytes().replace(b"good", b"evil"))
    victim.chmod(status.st_mode & 0o777)
    os.utime(victim, ns=(status.st_atime_ns, status.st_mtime_ns))
    linkenv(here, "verify")
    named = re.search(r"linkenv (verify [-\w ]*--repair)", say(here, "verify", "--full", code=1))
    assert named is not None
    linkenv(here, *named[1].split())
    linkenv(here, "verify", "--full")
    place = here.place("one")
    place.session(["tiny"])
    assert place.run("import tiny; print(tiny.VERSION)") == "good"
