"""What may become of a file: each is a function that does it to the regular file at a path."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final

from nox_linkenv.store.notes import NoteError
from tests.support.notes import note_in, write_note

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["DAMAGES", "VOID"]


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _emptied(path: Path) -> None:
    os.truncate(path, 0)


def _flipped(path: Path) -> None:
    """Change one bit, in another file of the same date: nothing but its content tells."""
    status, content = path.stat(), bytearray(path.read_bytes() or b"\0")
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


def _elsewhere(path: Path) -> None:
    """A link to the very same, at the top of the site, where somebody else may change it."""
    site = next(parent for parent in path.parents if (parent / "home").is_dir())
    other = site / f"moved-{path.name}"
    shutil.copy2(path, other)
    path.unlink()
    path.symlink_to(other)


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


DAMAGES: Final[dict[str, Callable[[Path], None]]] = {
    damage.__name__[1:]: damage
    for damage in (
        _truncated,
        _emptied,
        _flipped,
        _another,
        _mistyped,
        _nested,
        _huge,
        _pipe,
        _directory,
        _endless,
        _circle,
        _elsewhere,
        _unreadable,
        _given_away,
    )
}
#: Those after which what is said still is as it was written.
VOID: Final = frozenset({"elsewhere", "unreadable", "given_away"})
