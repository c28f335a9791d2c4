"""The same bare environments as for the tests of the warm path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nox_linkenv.config import Settings
from tests.provision.conftest import _plain_process
from tests.provision.tool import Place, Site
from tests.support.capabilities import require_python
from tests.support.environment import clean_environment
from tests.support.interpreters import TARGET
from tests.support.wheels import Member, make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.linking.modes.filesystems import Filesystem, Ground

__all__ = ["_plain_process"]


def wheels(directory: Path) -> None:
    """Make two versions of the distribution that the tests install."""
    directory.mkdir()
    for version in ("1.0", "2.0"):
        files = {
            "demo/__init__.py": f"VERSION = {version!r}\n".encode(),
            "demo/empty.py": b"",
            "demo/inner/module.py": b"from demo import VERSION\n",
            "demo/inner/data.bin": bytes(range(256)) * 300,
        }
        more = [Member("demo/tool.sh", b"#!/bin/sh\necho ran\n", mode=0o100755)]
        make_wheel(directory, "demo", version, files, more=more)


@pytest.fixture
def settle(tmp_path: Path, template: Callable[[str], Path]) -> Callable[..., Site]:
    """Return a function that makes a site whose store is on some ground."""
    import shutil

    def make(filesystem: Filesystem, ground: Ground, **settings: object) -> Site:
        root = tmp_path / "site"
        (root / "project").mkdir(parents=True)
        (root / "home").mkdir()
        wheels(root / "wheels")
        store = ground.stores / "store"
        if not filesystem.parameters:
            shutil.copytree(template(TARGET), store)
        environ = clean_environment() | {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(root / "wheels"),
            "HOME": str(root / "home"),
        }
        return Site(root, require_python(TARGET), Settings(**{"store": str(store), **settings}), environ)  # type: ignore[arg-type]

    return make


def place_on(site: Site, ground: Ground, name: str) -> Place:
    """Return a place for an environment on some ground."""
    return Place(site, f"{ground.environments.resolve()}/.nox/{name}", name)
