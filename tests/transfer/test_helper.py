"""Processes that help with an import: they do their part, and whatever becomes of them, what comes is right."""

from __future__ import annotations

import os
import random
import sys
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.errors import ArchiveError, StoreUnwritableError
from nox_linkenv.store import Store
from nox_linkenv.transfer import helper, take_in
from nox_linkenv.transfer.container import Archive, Contents, Pack
from tests.provision.tool import changed_objects
from tests.support.capabilities import Capability, require
from tests.transfer.test_files_in import objects
from tests.transfer.tool import written

if TYPE_CHECKING:
    from pathlib import Path

    from nox_linkenv.transfer.files_in import Came

_PACKS: Final = 12


class _Watched(helper.Helper):
    """Remembers what was done, and by whom."""

    came: list[Came | None]
    processes: list[int]
    killed = False

    def take(self, pack: Pack, staging: str) -> Came | None:
        if self._process is not None:
            self.processes.append(self._process.pid)
            if self.killed:
                self._process.kill()
        self.came.append(found := super().take(pack, staging))
        return found


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> type[_Watched]:
    require(Capability.ZSTD)
    monkeypatch.setattr(_Watched, "came", [], raising=False)
    monkeypatch.setattr(_Watched, "processes", [], raising=False)
    monkeypatch.setattr(take_in, "Helper", _Watched)
    monkeypatch.setattr(take_in, "helpers_for", lambda size: 2 if size else 0)
    return _Watched


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    files = objects(600)
    packs = [(Contents.FILES, files[at::_PACKS]) for at in range(_PACKS)]
    return written(tmp_path / "archive", packs)


def _taken(archive: Path, root: Path) -> take_in.TakenIn:
    return take_in.take_in(Store.open(root), str(archive), progress=lambda _: None, apart=True)


def _right(root: Path) -> bool:
    return all((root / "v2" / name).read_bytes() == content for name, content in objects(600))


def test_each_takes_packs(watched: type[_Watched], archive: Path, tmp_path: Path) -> None:
    root = tmp_path / "store"
    taken = _taken(archive, root)
    assert (taken.files, taken.present, taken.written) == (600, 0, sum(len(content) for _, content in objects(600)))
    assert _right(root)
    assert any(watched.came)
    assert not list((root / "v2" / "staging").iterdir())
    again = _taken(archive, root)
    assert (again.files, again.present, again.written) == (0, 600, 0)
    assert all(not _runs(process) for process in watched.processes)


@pytest.mark.parametrize("how", ["killed", "cannot start"])
def test_without_them_it_is_done_here(
    how: str, watched: type[_Watched], archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "killed":
        monkeypatch.setattr(watched, "killed", True)
    else:
        monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    _taken(archive, tmp_path / "store")
    assert _right(tmp_path / "store")
    assert watched.came
    assert not any(watched.came)


def test_what_they_find_wrong_ends_it(watched: type[_Watched], archive: Path, tmp_path: Path) -> None:
    content, chance = archive.read_bytes(), random.Random(1)
    packs = Archive(str(archive)).packs
    for number in range(6):
        pack = chance.choice(packs)
        at = pack.start + pack.head + chance.randrange(pack.body)
        changed = content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
        (tmp_path / "broken").write_bytes(changed)
        root = tmp_path / f"store{number}"
        with pytest.raises(ArchiveError, match="is damaged"):
            _taken(tmp_path / "broken", root)
        assert changed_objects(root / "v2") == []
        assert not list((root / "v2" / "staging").iterdir())
    assert all(not _runs(process) for process in watched.processes)


def test_a_store_that_cannot_be_written_is_told_as_ever(watched: type[_Watched], archive: Path, tmp_path: Path) -> None:
    root = tmp_path / "store"
    store = Store.open(root)
    (root / "v2" / "objects").mkdir(exist_ok=True)
    for shard in {(root / "v2" / name).parent for name, _ in objects(600)}:
        shard.write_bytes(b"")
    with pytest.raises(StoreUnwritableError):
        take_in.take_in(store, str(archive), progress=lambda _: None, apart=True)
    assert not any(watched.came)


@pytest.mark.parametrize(("size", "number"), [(0, 0), (60 << 20, 0), (100 << 20, 1), (4 << 30, 3)])
def test_they_are_started_where_it_is_worth_it(size: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper, "_cores", lambda: 64)
    assert helper.helpers_for(size) == number
    monkeypatch.setattr(helper, "_cores", lambda: 1)
    assert helper.helpers_for(size) == 0


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
