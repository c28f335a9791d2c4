"""An environment whose pip was replaced, by any version: every later install is what that pip makes of it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import pytest

from tests.parity.compare import tree_differences
from tests.projects.tool import Bench
from tests.support.pips import MUTE, REPORTING, old_pips
from tests.support.seeds import sow
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.parity.snapshot import Tree

#: Of one that cannot report, :func:`test_why_an_old_pip_is_not_asked` is in the usual suite.
_QUICK: Final = ("23.0.1",)


@pytest.fixture(scope="session")
def pips(shared_dir: Path) -> Path:
    return old_pips(shared_dir)


@pytest.fixture
def bench(tmp_path: Path, interpreters: dict[str, Path], template: Callable[[str], Path]) -> Bench:
    if "3.9" not in interpreters:
        pytest.skip("no Python 3.9 here, the last one that all these versions of pip run on")
    sow(template("3.9"), tmp_path / "store")
    points = "[console_scripts]\ntiny = tiny:main\n[gui_scripts]\ntiny-gui = tiny:main\n"
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "tiny", "1.0", {"tiny.py": b""}, entry_points=points)
    make_wheel(wheels, "more", "1.0", {"more.py": b""}, entry_points="[console_scripts]\nmore = more:main\n")
    return Bench(tmp_path, interpreters["3.9"])


def _trees(bench: Bench, install: Callable[..., object], steps: tuple[str, ...], links: Path) -> list[Tree]:
    environ = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"{links} {bench.root / 'wheels'}"}
    trees = []
    for number, step in enumerate(steps):
        install(bench.root, step, environ=environ, fresh=number == 0)
        trees.append(bench.tree())
    return trees


@pytest.mark.network
@pytest.mark.parametrize(
    "version",
    [pytest.param(one, marks=[] if one in _QUICK else pytest.mark.slow) for one in (*MUTE, *REPORTING)],
)
def test_installs_with_another_pip(version: str, bench: Bench, pips: Path) -> None:
    steps = (f"pip=={version}", "tiny", "more")
    oracle = _trees(bench, bench.by_pip, steps, pips)
    for situation in ("cold", "warm", "deleted"):
        if situation == "deleted":
            shutil.rmtree(bench.prefix)
        bench.calls.clear()
        ours = _trees(bench, bench.install, steps, pips)
        for step, before, after in zip(steps, oracle, ours, strict=True):
            assert tree_differences(before, after) == [], f"{situation}, after {step}"
        if situation != "cold":
            assert bench.calls == ([] if version in REPORTING else ["install", "install"])


@pytest.mark.network
def test_why_an_old_pip_is_not_asked(bench: Bench, pips: Path) -> None:
    environ = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"{pips} {bench.root / 'wheels'}"}
    bench.install(bench.root, "pip==22.3.1", environ=environ)
    bench.calls.clear()
    message = bench.install(bench.root, "tiny", environ=environ, fresh=False).message
    assert message == "left to pip: pip 22.3.1 cannot report what it would install"
    assert bench.calls == ["install"]
    linked = bench.tree()
    bench.by_pip(bench.root, "pip==22.3.1", environ=environ)
    bench.by_pip(bench.root, "tiny", environ=environ, fresh=False)
    assert tree_differences(bench.tree(), linked) == []
