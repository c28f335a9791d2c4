"""A store that knows the interpreters' bare environments already: making those is what takes time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.provision.tool import Site, site
from tests.support.capabilities import Capability, require, require_python
from tests.support.interpreters import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_OUTER = ("VIRTUALENV_", "PIP_", "LINKENV_")


@pytest.fixture(autouse=True)
def _plain_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the outer world's settings out: what is provisioned in this process sees its variables."""
    import os

    for name in list(os.environ):
        if name.startswith(_OUTER) or name == "PYTHONDONTWRITEBYTECODE":
            monkeypatch.delenv(name)


@pytest.fixture
def make_site(tmp_path: Path, template: Callable[[str], Path]) -> Callable[[str], Site]:
    """Return a function from a version to a site for its interpreter."""

    def make(version: str) -> Site:
        require(Capability.HARDLINK)
        root = tmp_path / f"site-{version}"
        root.mkdir()
        return site(root, require_python(version), template(version))

    return make


@pytest.fixture
def here(make_site: Callable[[str], Site]) -> Site:
    """A site for the usual interpreter."""
    return make_site(TARGET)
