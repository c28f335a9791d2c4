"""Odd wheels: the same environment as pip makes, or the same refusal in pip's words."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Final

import pytest

from tests.parity.compare import tree_differences
from tests.projects.tool import Bench, PipFailedError
from tests.support.odd_wheels import LEFT, STORED, OddWheel
from tests.support.seeds import sow
from tests.support.wheels import Member, Row, make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.parity.snapshot import Tree

# The seed: pip names several metadata directories in the order of a set.
_OFFLINE: Final = {"PIP_NO_INDEX": "1", "PYTHONHASHSEED": "0"}
_INFO: Final = "demo-1.0.dist-info"


@pytest.fixture
def bench(tmp_path: Path, interpreters: dict[str, Path], template: Callable[[str], Path]) -> Bench:
    if "3.12" not in interpreters:
        pytest.skip("no Python 3.12 here")
    sow(template("3.12"), tmp_path / "store")
    return Bench(tmp_path, interpreters["3.12"])


def many_oddities(directory: Path) -> Path:
    """A wheel with nearly all that :data:`STORED` has, at once."""
    data = "demo-1.0.data"
    files = {
        "demo/a,b.py": b"A = 1\n",
        "demo/no_hash.py": b"A = 2\n",
        "demo/twice.py": b"A = 3\n",
        f"{data}/platlib/same.py": b"A = 4\n",
        "same.py": b"A = 'five'\n",
        f"{data}/data/bin/tool": b"#!python\nprint(6)\n",
        f"{data}/scripts/run": b"#!python\nprint(7)\n",
        f"{data}/scripts/pip": b"#!python\nprint(8)\n",
        f"{data}/scripts/pip3-script.py": b"#!python\nprint(9)\n",
        f"{_INFO}/INSTALLER": b"other\n",
        f"{_INFO}/REQUESTED": b"text\n",
        f"{_INFO}/direct_url.json": b"{}",
        f"{_INFO}/RECORD.jws": b"{}",
    }
    points = "[console_scripts]\npip = demo:main\npip3 = demo:main\npip9 = demo:main\ntool = demo:main\n"
    points += "[gui_scripts]\ntool = demo:other [extra]\n"
    more = [Member("unlisted.py", b"A = 10\n", recorded=False), Member("empty.py", b"", recorded=False)]
    whole = make_wheel(directory, files=files, entry_points=points, more=more, rows=_odd_rows)
    record = _record_of(whole).replace(b'"', b"")  # a comma without quotes
    return make_wheel(directory, files=files, entry_points=points, more=more, record=record)


def _odd_rows(rows: list[Row]) -> list[Row]:
    changed = [(row[0], "", "") if "no_hash" in row[0] else row for row in rows]
    again = [row for row in rows if row[0].endswith(("twice.py", "/run", "/pip"))]
    return [*changed, *again, ("gone.py", "md5=x", "many")]


def _record_of(wheel: Path) -> bytes:
    import zipfile

    with zipfile.ZipFile(wheel) as archive:
        return archive.read(f"{_INFO}/RECORD")


def _outcome(bench: Bench, install: Callable[[], object]) -> Tree | list[str]:
    """Return what stands there after *install*, or the errors that pip told."""
    try:
        install()
    except PipFailedError as error:
        return sorted({line for line in str(error).splitlines() if re.match(r"(ERROR|\S*(Error|Exception)):", line)})
    return bench.tree()


def _assert_as_pip(bench: Bench, wheel: Path, *, linked: bool) -> None:
    project = bench.root / "project"
    project.mkdir()
    command = (str(wheel),)

    def by_us() -> None:
        message = bench.install(project, *command, environ=_OFFLINE).message
        assert message.startswith("left to pip: ") is not linked, message

    oracle = _outcome(bench, lambda: bench.by_pip(project, *command, environ=_OFFLINE))
    for situation in ("cold", "warm", "deleted"):
        if situation == "deleted":
            shutil.rmtree(bench.prefix)
        ours = _outcome(bench, by_us)
        if isinstance(oracle, list) or isinstance(ours, list):
            assert ours == oracle, situation
        else:
            assert tree_differences(oracle, ours) == [], situation
        if situation != "cold" and linked:
            assert bench.calls == [], situation
        bench.calls.clear()


def test_one_with_many_oddities(bench: Bench, tmp_path: Path) -> None:
    wheel = many_oddities(tmp_path)
    _assert_as_pip(bench, wheel, linked=True)


def test_what_record_lacks_is_told_once(bench: Bench, tmp_path: Path) -> None:
    wheel = many_oddities(tmp_path)
    project = tmp_path
    cold = bench.install(project, str(wheel), environ=_OFFLINE).warnings
    assert [line for line in cold if "no secure hash of 4 files, such as demo/a,b.py" in line] == list(cold)
    assert bench.install(project, str(wheel), environ=_OFFLINE).warnings == ()


@pytest.mark.slow
@pytest.mark.parametrize("odd", STORED, ids=lambda odd: odd.id)
def test_stored(odd: OddWheel, bench: Bench, tmp_path: Path) -> None:
    _assert_as_pip(bench, odd.build(tmp_path), linked=True)


_QUICK: Final = ("script-blank", "script-module", "here", "other-data")


@pytest.mark.parametrize(
    "odd", [pytest.param(odd, marks=[] if odd.id in _QUICK else pytest.mark.slow, id=odd.id) for odd in LEFT]
)
def test_left_to_pip(odd: OddWheel, bench: Bench, tmp_path: Path) -> None:
    _assert_as_pip(bench, odd.build(tmp_path), linked=False)
