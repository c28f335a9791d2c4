"""The big sets: SCI, JL and WEB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.parity.stories import BIG, PYTHONS, furnish
from tests.parity.tool import ORACLE, PEER, compare, make
from tests.support.capabilities import require_python

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.oracle import Oracle


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", sorted(BIG))
def test_big_parity(name: str, python: str, steady_path: Path, oracle: Oracle) -> None:
    require_python(python)
    project, store = steady_path / "project", steady_path / "store"
    story = furnish(project, BIG[name])
    by_pip = oracle.answer(lambda: make(project, story, python=python, backend=ORACLE, store=store))
    peer = make(project, story, python=python, backend=PEER, store=store)
    told = compare(by_pip, peer, story)
    assert not told, "\n".join(told)
