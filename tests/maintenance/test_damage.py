"""Whatever becomes of a file of the store: the right environment or one clear error, no traceback, and no hang."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.maintenance.rehash import rehash
from nox_linkenv.store import Store
from nox_linkenv.store.notes import NoteError
from tests.maintenance.tool import no_hang, run_linkenv
from tests.provision.tool import changed_objects
from tests.support.notes import note_in, write_note
from tests.support.suites import usually
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.tool import Place, Site

_FILES: Final = {
    "tiny/__init__.py": b"VERSION = 'good'\n",
    "tiny/other.py": b"OTHER = 1\n",
    "tiny/data.txt": b"data " * 100,
    "tiny/empty.py": b"",
    "tiny-1.0.data/scripts/hello": b"#!python\nprint('hello')\n",
}
_LISTS: Final = ".cpython-"


def _is_list(path: Path) -> bool:
    return _LISTS in path.name


def _of(pattern: str, *, lists: bool = False) -> Callable[[Place], list[Path]]:
    return lambda place: [path for path in place.site.base.glob(pattern) if _is_list(path) is lists]


def _objects(place: Place) -> list[Path]:
    contents = set(_FILES.values()) - {b""}
    return [path for path in place.site.base.glob("objects/*/*") if path.is_file() and path.read_bytes() in contents]


#: What there is, and where.
KINDS: Final[dict[str, Callable[[Place], list[Path]]]] = {
    "manifest": _of("wheels/*/*.json"),
    "plan": _of("plans/*/*.json"),
    "bytecode index": _of("plans/*/*.json", lists=True),
    "skeleton": _of("skeletons/*.json"),
    "resolution": _of("resolutions/*/*.json"),
    "request": _of("requests/*/*.json"),
    "root": _of("roots/*.json"),
    "object": _objects,
    "bytecode": _of("bytecode/*/*/*.pyc"),
    "discarded": lambda place: [place.site.base / "discarded"],
    "description": lambda place: [place.site.store / "linkenv-store.json"],
    "probe": lambda place: [place.site.base / "probe"],
    "receipt": lambda place: [Path(place.prefix, ".linkenv", "receipt.json")],
    "state": lambda place: list(Path(place.prefix, ".linkenv").glob("*.state")),
    "turn": _of("rehash/*.json"),
    "prebuilt tree": lambda place: list(place.site.base.glob("spares/*/*/.linkenv/*.state")),
}
#: Kinds of which every file can be told from what was written, without and with its content hashed.
_VERIFIED: Final = {"manifest", "plan", "bytecode index", "skeleton", "resolution", "request", "root", "prebuilt tree"}
_VERIFIED_BY_CONTENT: Final = {*_VERIFIED, "object", "bytecode"}


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _emptied(path: Path) -> None:
    os.truncate(path, 0)


def _flipped(path: Path) -> None:
    """Change one bit, in another file of the same date: nothing but its content tells."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    _replaced(path, bytes(content))
    path.chmod(status.st_mode & 0o777)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _another(path: Path) -> None:
    """What is whole, and lies under another name."""
    others = [other for other in sorted(path.parent.parent.rglob(f"*{path.suffix}")) if other != path]
    wholes = [other.read_bytes() for other in others if other.is_file()]
    _replaced(path, wholes[0] if wholes else b'{"links": [], "format": 2, "time": "x"}')


def _mistyped(path: Path) -> None:
    """What says that it is whole, and has other types than belong there; as :func:`_another` where nothing says so."""
    try:
        data = note_in(path)
    except (NoteError, ValueError):
        return _another(path)
    other = {name: {"x": [value]} for name, value in data.items()} if isinstance(data, dict) else {"x": [1]}
    path.unlink()
    return write_note(path, other)


def _nested(path: Path) -> None:
    _replaced(path, b"[" * 300_000)


def _replaced(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _directory(path: Path) -> None:
    path.unlink()
    (path / "in it").mkdir(parents=True)


def _endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _unreadable(path: Path) -> None:
    """What a file of another user's, or on a failing disk, is like; to root nothing is unreadable."""
    path.chmod(0)


def _huge(path: Path) -> None:
    """A gibibyte, nearly all of it holes."""
    os.truncate(path, 1 << 30)


def _given_away(path: Path) -> None:
    """Another user's; only root can give."""
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345, follow_symlinks=False)


DAMAGES: Final = {
    damage.__name__[1:]: damage
    for damage in (
        _truncated,
        _emptied,
        _flipped,
        _another,
        _mistyped,
        _nested,
        _pipe,
        _directory,
        _endless,
        _circle,
        _unreadable,
        _huge,
        _given_away,
    )
}


@pytest.fixture
def place(here: Site) -> Place:
    """A place where an environment stands, and of whatever it was made from there is a file."""
    make_wheel(here.wheels, "tiny", "1.0", _FILES)
    place = here.place("one")
    for _ in range(2):
        place.session(["tiny"], run="import tiny.other, tiny.empty, pip")
    (here.base / "discarded").write_text(f"1 objects/ab/{'c' * 62}\n")
    now = time.time()
    rehash(Store.open(here.store), now=now + 90_000)
    write_note(here.base / "rehash" / "found.json", [[f"objects/ab/{'c' * 62}", 1]])
    os.utime(here.base / "rehash" / "turn.json", (now - 90_000, now - 90_000))
    return place


def _damage(place: Place, kind: str, damage: Callable[[Path], None]) -> int:
    victims = KINDS[kind](place)
    for path in victims:
        if not path.is_symlink() and path.is_file():
            damage(path)
    return len(victims)


def _check(place: Place) -> None:
    """Make the environment once more, which has to be the right one."""
    with no_hang():
        done = place.session(["tiny"], run="import tiny.other, tiny.empty, pip")
    assert place.run("import tiny; print(tiny.VERSION)") == "good"
    assert (place.packages / "tiny" / "data.txt").read_bytes() == _FILES["tiny/data.txt"]
    assert Path(place.prefix, "bin", "hello").read_text() == f"#!{place.prefix}/bin/python\nprint('hello')\n"
    assert "VIRTUAL_ENV" in Path(place.prefix, "bin", "activate").read_text()
    assert done.closing.edited == []


def _cell(place: Place, kind: str, name: str) -> None:
    damage = DAMAGES[name]
    assert _damage(place, kind, damage), f"there is no {kind}"
    if name not in ("unreadable", "mistyped", "given_away"):  # whose digest is right
        if kind in _VERIFIED:
            assert run_linkenv(place.site, "verify") == 1
        if kind in _VERIFIED_BY_CONTENT:
            assert run_linkenv(place.site, "verify", "--full") == 1
    for command in (["envs"], ["info"], ["du"], ["prune", "--dry-run"]):
        assert run_linkenv(place.site, *command) == 0, command
    _damage(place, kind, damage)  # what was found has been dropped
    if kind in ("object", "bytecode") and name == "flipped":  # its date is as before: this is what verifying is for
        assert run_linkenv(place.site, "verify", "--full", "--repair") == 0
    _check(place)
    _check(place)


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_cell(place: Place, kind: str, name: str) -> None:
    _cell(place, kind, name)
    assert changed_objects(place.site.base) == []


@pytest.mark.parametrize("name", usually(DAMAGES, "flipped", "mistyped", "pipe", "endless", "given_away"))
def test_all_at_once(place: Place, name: str) -> None:
    """Every file of the store, and the environment's own notes, in one go."""
    for kind in KINDS:
        if kind not in ("object", "bytecode") or name not in ("flipped", "huge"):
            _damage(place, kind, DAMAGES[name])
    for command in (["envs"], ["info"], ["verify", "--full"], ["prune", "--dry-run"]):
        run_linkenv(place.site, *command)
    _check(place)
    _check(place)
    assert changed_objects(place.site.base) == []
    # Bytecode that these sessions did not import has not been looked at.
    assert run_linkenv(place.site, "verify", "--full", "--repair") == 0
    assert run_linkenv(place.site, "verify", "--full") == 0


@pytest.mark.parametrize("time", [float("inf"), float("-inf"), float("nan")])
def test_a_time_that_cannot_be_reckoned_with(place: Place, time: float) -> None:
    """JSON as Python reads it knows infinity; whoever can write to a store can give the note the right digest."""
    for kind, names in {"resolution": ("time",), "root": ("since", "until")}.items():
        for path in KINDS[kind](place):
            data = note_in(path)
            write_note(path, {**data, **dict.fromkeys(names, time)})
    for command in (["envs"], ["info"], ["prune", "--dry-run"]):
        assert run_linkenv(place.site, *command) == 0
    _check(place)
