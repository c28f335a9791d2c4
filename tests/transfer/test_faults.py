"""Archives that were damaged, cut off, or made by somebody who means ill: right, or one error, and nothing wrong."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.digest import mtime_of
from nox_linkenv.errors import ArchiveError
from nox_linkenv.maintenance.verify import verify
from nox_linkenv.store import Store
from nox_linkenv.store.notes import seal
from nox_linkenv.transfer.container import Archive, Contents
from nox_linkenv.transfer.take_in import take_in
from tests.cli.tool import linkenv
from tests.provision.tool import Site, changed_objects
from tests.support.capabilities import Capability
from tests.transfer.tool import members, notes_in, taken_in, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_TEXT: Final = b"print('whatever')\n"
_ADDRESS: Final = hashlib.sha256(_TEXT).hexdigest()
_OBJECT: Final = f"objects/{_ADDRESS[:2]}/{_ADDRESS[2:]}"


def _damaged(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :]


def _error_of(site: Site, archive: Path) -> str | None:
    """Return what is said of *archive* when it is taken in; ``None`` where it is."""
    try:
        taken_in(site, archive)
    except ArchiveError as error:
        return str(error)
    return None


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


@pytest.mark.parametrize("fault", [_damaged, _cut])
@pytest.mark.parametrize("times", [8, pytest.param(100, marks=pytest.mark.slow)])
def test_damage_is_noticed(
    times: int,
    fault: Callable[[bytes, random.Random], bytes],
    used: Site,
    archive: Path,
    elsewhere: Callable[[str], Site],
) -> None:
    content, chance = archive.read_bytes(), random.Random(times)
    right = notes_in(used.base)
    refused = 0
    for number in range(times):
        there = elsewhere(f"other{number}")
        broken = used.root / "broken"
        broken.write_bytes(fault(content, chance))
        error = _error_of(there, broken)
        if error is not None:
            refused += 1
            assert str(broken) in error
            assert notes_in(there.base) == {}, "nothing that is installed by is there"
        else:
            assert notes_in(there.base) == right
        assert changed_objects(there.base) == []
        assert verify(Store.open(there.store), full=True, now=0.0).findings == []
        shutil.rmtree(there.store)
    assert refused >= times * 0.98, "a flipped bit may leave what is decompressed as it was, but hardly ever does"


def test_after_a_damaged_archive_sessions_do_without_it(
    used: Site, archive: Path, elsewhere: Callable[[str], Site]
) -> None:
    there = elsewhere("other")
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    done = linkenv(there, "import", str(archive), code=1)
    assert "The archive is damaged: it is cut off" in done.stderr
    assert "Export it again" in done.stderr
    shutil.copytree(used.base / "skeletons", there.base / "skeletons")
    for name in ("objects", "bytecode"):
        shutil.copytree(used.base / name, there.base / name, dirs_exist_ok=True)
    session = there.place("new").session(["one"], run="import one.run; one.run.main()")
    assert session.calls[0] == "ask"


def test_each_byte_at_the_ends_counts(archive: Path, tmp_path: Path) -> None:
    content = archive.read_bytes()
    for at in (*range(24), *range(-56, 0)):
        changed = bytearray(content)
        changed[at] ^= 1
        broken = tmp_path / "broken"
        broken.write_bytes(changed)
        with pytest.raises(ArchiveError):
            Archive(str(broken))


@pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04" * 100, bytes(10_000)])
def test_other_files_are_no_archives(content: bytes, used: Site) -> None:
    path = used.root / "something"
    path.write_bytes(content)
    assert "This is not an archive of nox-linkenv" in linkenv(used, "import", str(path), code=1).stderr


def test_what_is_no_file(used: Site) -> None:
    for path in (used.root / "nowhere", used.root):
        done = linkenv(used, "import", str(path), code=1)
        assert str(path) in done.stderr
        assert "Traceback" not in done.stderr


def test_a_newer_format_is_told_from_damage(archive: Path, tmp_path: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[16] += 1
    index = int.from_bytes(content[-40:-32], "little")
    content[-32:] = hashlib.sha256(content[:24] + content[-56 - index : -56]).digest()
    newer = tmp_path / "newer"
    newer.write_bytes(content)
    with pytest.raises(ArchiveError, match="format 2, this version of nox-linkenv reads format 1"):
        Archive(str(newer))


def _note(name: str, data: object) -> tuple[str, bytes]:
    return name, seal(name, json.dumps(data))


def _plan(**links: object) -> dict[str, object]:
    """Return a plan that says of nothing but of its *links*."""
    empty: dict[str, object] = {"directories": [], "paths": [], "sources": [], "sizes": [], "mtimes": []}
    lists: dict[str, object] = {
        name: [] for name in ("empty", "texts", "shebangs", "copies", "records", "distributions")
    }
    return {"links": {**empty, **links}, **lists, "shebang": ""}


_PLAN: Final = f"plans/ab/{'c' * 62}.json"
_LINK: Final = {"paths": ["a.py"], "sources": [_OBJECT], "sizes": [len(_TEXT)], "mtimes": [mtime_of(_ADDRESS)]}
_FILES: Final[dict[str, tuple[str, bytes]]] = {
    "another content": (_OBJECT, b"something else"),
    "a path that leads out": ("objects/../../evil", _TEXT),
    "an absolute path": ("/tmp/linkenv-evil", _TEXT),
    "another shard": (f"objects/{_ADDRESS[:2]}/../{_ADDRESS[:2]}/{_ADDRESS[2:]}", _TEXT),
    "a lock": ("locks/store.lock", _TEXT),
    "a description": ("../linkenv-store.json", b'{"format": 99}'),
    "bytecode of another interpreter": (
        f"bytecode/cpython-312-cb0d0d0a/{_ADDRESS[:2]}/{_ADDRESS[2:]}-{_ADDRESS[:32]}.pyc",
        _TEXT,
    ),
    "a tag that leads out": (f"bytecode/../{_ADDRESS[:2]}/{_ADDRESS[2:]}-{_ADDRESS[:32]}.pyc", _TEXT),
    "a kept wheel with a path": (f"projects/wheels/{_ADDRESS}/../../x.whl", _TEXT),
}
_NOTES: Final[dict[str, tuple[str, bytes]]] = {
    "no digest": (_PLAN, json.dumps(_plan()).encode()),
    "a digest of another name": (_PLAN, seal("plans/ab/cd.json", json.dumps(_plan()))),
    "another shape": _note(_PLAN, {"links": 3}),
    "a link that leads out": _note(_PLAN, _plan(**{**_LINK, "paths": ["../a.py"]})),
    "a source that leads out": _note(_PLAN, _plan(**{**_LINK, "sources": ["objects/../../../etc/passwd"]})),
    "a file that is nowhere": _note(_PLAN, _plan(**{**_LINK, "sources": [f"objects/00/{'0' * 62}"]})),
    "another size": _note(_PLAN, _plan(**{**_LINK, "sizes": [3]})),
    "a wheel that is nowhere": _note(_PLAN, {**_plan(**_LINK), "distributions": [["a", "1", "a-1", "0" * 64, 0]]}),
    "an answer without its plan": _note(
        f"resolutions/ab/{'c' * 62}.json",
        {
            "time": 0,
            "pinned": True,
            "plan": _PLAN,
            "wheels": [],
            "archives": {},
            "reading": {"pages": [], "means": "", "obstacle": None},
        },
    ),
    "one that would fill the memory": (_PLAN, bytes((64 << 20) + 1)),
    "a name that leads out": _note("plans/../../../evil.json", _plan()),
    "an environment": _note(f"roots/{'a' * 40}.json", {}),
    "a companion": _note(f"companions/{'a' * 40}.json", {"root": "/"}),
    "work for upkeep": _note("rehash/turn.json", 3),
    "what was found on a search": _note(f"interpreters/{'a' * 64}.json", {"path": "/evil", "time": 0, "seen": []}),
}


@pytest.mark.needs(Capability.ZSTD)
@pytest.mark.parametrize("what", [*_FILES, *_NOTES])
def test_what_means_ill_is_refused(what: str, tmp_path: Path) -> None:
    """Its digests are right: it was made by somebody who knows the format."""
    files, notes = [(_OBJECT, _TEXT)], []
    if what in _FILES:
        files.append(_FILES[what])
    else:
        notes.append(_NOTES[what])
    path = written(tmp_path / "archive", [(Contents.FILES, files), (Contents.NOTES, notes)])
    store = Store.open(tmp_path / "store")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ArchiveError, match="The archive is damaged"):
        take_in(store, str(path), progress=lambda _: None)
    base = tmp_path / "store" / "v2"
    assert notes_in(base) == {}
    assert not list((base / "staging").iterdir())
    assert changed_objects(base) == []
    assert sorted(tmp_path.iterdir()) == before
    assert verify(store, full=True, now=0.0).findings == []


@pytest.mark.needs(Capability.ZSTD)
@pytest.mark.parametrize("before", [1, 11, 12])
def test_bytecode_may_begin_anywhere_in_a_block(before: int, tmp_path: Path) -> None:
    """A body is read by the MiB, and zstd gives 128 KiB at a time: the first part of a file may be a byte."""
    chance, block = random.Random(before), 128 << 10
    files: list[tuple[str, bytes]] = []
    head = bytes.fromhex("cb0d0d0a00000000") + mtime_of(_ADDRESS).to_bytes(4, "little")
    for number in range(20):  # the end of each block is tried, as which one comes in two parts is up to zstd
        pyc = head + number.to_bytes(100, "little")
        filler = chance.randbytes(block).hex().encode()[: block - (len(pyc) if files else before)]
        digests = [hashlib.sha256(content).hexdigest() for content in (filler, pyc)]
        files.append((f"objects/{digests[0][:2]}/{digests[0][2:]}", filler))
        shard = f"bytecode/cpython-312-cb0d0d0a/{_ADDRESS[:2]}"
        files.append((f"{shard}/{_ADDRESS[2:]}-{digests[1][:32]}.pyc", pyc))
    path = written(tmp_path / "archive", [(Contents.FILES, files)])
    take_in(Store.open(tmp_path / "store"), str(path), progress=lambda _: None)
    assert all((tmp_path / "store" / "v2" / name).read_bytes() == content for name, content in files)


@pytest.mark.needs(Capability.ZSTD)
def test_what_means_well_is_taken(tmp_path: Path) -> None:
    """The one beside those that are refused."""
    notes = [_note(_PLAN, _plan(**_LINK))]
    path = written(tmp_path / "archive", [(Contents.FILES, [(_OBJECT, _TEXT)]), (Contents.NOTES, notes)])
    store = Store.open(tmp_path / "store")
    assert take_in(store, str(path), progress=lambda _: None).notes == 1
    assert members(path)[_OBJECT] == _TEXT
    assert notes_in(tmp_path / "store" / "v2") == dict(notes)
