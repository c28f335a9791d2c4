"""An index that changes at random: an answer that is renewed is always the one that pip gives."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import pytest

from tests.renewal.asking import DAY, Asking, PipFailedError, make_asking, python_with_pip
from tests.support.index import Index, serving

if TYPE_CHECKING:
    from pathlib import Path

    from nox_linkenv.resolve.cache import Reading

_PROJECTS: Final = ("ant", "bee", "cat", "dog", "elk")
_REQUESTS: Final = (
    ("ant",), ("bee",), ("ant", "dog"), ("cat>1", "elk"), ("elk<3", "bee"), ("--pre", "dog"), ("ant", "bee", "cat"),
)  # fmt: skip
_STEPS: Final = 300


class _World:
    """An index, what pip has answered so far, and chance."""

    def __init__(self, asking: Asking, index: Index, seed: int) -> None:
        self.asking = asking
        self.index = index
        self.chance = random.Random(seed)
        self.known: dict[tuple[str, ...], tuple[dict[str, str], Reading]] = {}
        self.renewed = 0
        self.now = DAY

    def change(self) -> str:
        """Let something happen to the index; return what."""
        what = self.chance.choices(["nothing", "publish", "yank", "delete"], [6, 3, 2, 1])[0]
        name = self.chance.choice(_PROJECTS)
        files = self.index.projects.get(name, {})
        if what == "publish":
            version = f"{self.chance.randint(1, 4)}.{self.chance.randint(0, 3)}{self.chance.choice(['', '', 'a1'])}"
            others = self.chance.sample([other for other in _PROJECTS if other > name], self.chance.randint(0, 2) % 5) \
                if name < "dog" else []  # fmt: skip
            wanted = [f"{other}{self.chance.choice(['', '>1', '<3', '!=2.0'])}" for other in others]
            if not any(file.split("-")[1] == version for file in files):
                return f"published {self.index.publish(name, version, *wanted)} {wanted}"
        elif files and what == "yank":
            file = self.chance.choice(sorted(files))
            self.index.yank(name, file, not files[file].yanked)
            return f"yanked {file}: {files[file].yanked}"
        elif len(files) > 1 and what == "delete":
            file = self.chance.choice(sorted(files))
            self.index.delete(name, file)
            return f"deleted {file}"
        return "nothing"

    def step(self) -> str:
        """Let time pass, something happen, and somebody ask; return what happened.

        An answer that stands has to be pip's.
        """
        self.now += 1000
        happened = self.change()
        request = self.chance.choice(_REQUESTS)
        known = self.known.pop(request, None)
        stands = known is not None and self.asking.renewed(known[1], after=self.now)
        try:
            answer, reading = self.asking.pip(*request)
        except PipFailedError:
            assert not stands, f"{happened}: pip answers {request} no longer"
            return happened
        assert reading.obstacle is None
        if known is not None and stands:
            assert known[0] == answer, f"{happened}: the answer to {request} is stale"
            self.renewed += 1
        self.known[request] = known if known is not None and stands else (answer, reading)
        return happened


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_renewed_answer_is_stale(tmp_path: Path, shared_dir: Path, seed: int) -> None:
    asking = make_asking(tmp_path, python_with_pip(shared_dir))
    (tmp_path / "made").mkdir()
    with serving(tmp_path / "made") as index:
        index.json, index.etag, index.metadata = seed != 2, seed != 1, seed == 3
        asking.environ["PIP_INDEX_URL"] = index.simple
        world = _World(asking, index, seed)
        for name in _PROJECTS:
            for version in ("1.0", "2.0"):
                index.publish(name, version)
        happened = [world.step() for _ in range(_STEPS // 3)]
    assert world.renewed > 10, happened
    assert len(set(happened)) > 20, happened
