"""The big sets: SCI, JL and WEB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.parity.stories import BIG, PYTHONS, furnish
from tests.parity.tool import ORACLE, PEER, compare, make
from tests.support.capabilities import require_python

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", sorted(BIG))
def test_big_parity(name: str, python: str, tmp_path: Path) -> None:
    require_python(python)
    project, store = tmp_path / "project", tmp_path / "store"
    story = furnish(project, BIG[name])
    oracle = make(project, story, python=python, backend=ORACLE, store=store)
    peer = make(project, story, python=python, backend=PEER, store=store)
    told = compare(oracle, peer, story)
    assert not told, "\n".join(told)
