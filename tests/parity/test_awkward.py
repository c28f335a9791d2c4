"""The awkward packages and requests: always the same environment as virtualenv and pip make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.parity.compare import OUR_NAME
from tests.parity.stories import FROM_FILES, FROM_INDEX, PYTHONS, furnish
from tests.parity.tool import ORACLE, PEER, Made, Story, compare, make
from tests.support.capabilities import require_python

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.oracle import Oracle


_USUAL: Final = (("index", "3.13"), ("files", "3.9"))


@pytest.mark.network
@pytest.mark.parametrize(
    ("story", "python"),
    [
        # Both stories and the oldest and newest interpreter in the usual suite, each pair in the heavy one.
        pytest.param(story, python, id=f"{name}-{python}", marks=() if (name, python) in _USUAL else pytest.mark.slow)
        for name, story in {"index": FROM_INDEX, "files": FROM_FILES}.items()
        for python in PYTHONS
    ],
)
def test_awkward_parity(story: Story, python: str, steady_path: Path, oracle: Oracle) -> None:
    require_python(python)
    project, store = steady_path / "project", steady_path / "store"
    story = furnish(project, story)
    by_pip = oracle.answer(lambda: make(project, story, python=python, backend=ORACLE, store=store))
    cold = make(project, story, python=python, backend=PEER, store=store)
    told = compare(by_pip, cold, story)
    if not told:
        warm = make(project, story, python=python, backend=PEER, store=store)
        told = [f"with a warm store, {difference}" for difference in compare(by_pip, warm, story)]
    assert not told, "\n".join(told)
    assert _installed_by_us(cold), "pip itself installed everything: nothing was linked"


def _installed_by_us(made: Made) -> set[str]:
    return {
        path
        for path, (_, _, _, text) in made.trees[0].items()
        if path.endswith(".dist-info/INSTALLER") and text is not None and text.strip() == OUR_NAME
    }
