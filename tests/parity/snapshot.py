"""What an environment holds, as plain data: taken inside a nox session, so standard library only."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

__all__ = ["Entry", "Tree", "snapshot"]

#: kind ("file", "link", "dir"), permission bits, content (digest or link target), text of a small text file.
Entry = tuple[str, int, str, "str | None"]
#: Path below the environment's root -> what is there.
Tree = dict[str, Entry]

#: Larger files, in bytes, are told apart by their digest alone; but a RECORD is compared row by row.
_TEXT_LIMIT = 60_000


def snapshot(root: str | os.PathLike[str]) -> Tree:
    """Return all that stands below *root*, symlinks not followed; bytecode and the receipt are left out."""
    tree: Tree = {}
    base = Path(root)
    for here, dirs, files in os.walk(base):
        dirs[:] = [name for name in dirs if name != "__pycache__" and not _ours(Path(here), base, name)]
        for name in (*dirs, *files):
            path = Path(here, name)
            if path.suffix != ".pyc":
                tree[path.relative_to(base).as_posix()] = _entry(path)
    return tree


def _ours(here: Path, base: Path, name: str) -> bool:
    return here == base and name == ".linkenv"


def _entry(path: Path) -> Entry:
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return ("link", mode, str(path.readlink()), None)
    if stat.S_ISDIR(status.st_mode):
        return ("dir", mode, "", None)
    content = path.read_bytes()
    text = _text(content) if path.name == "RECORD" or len(content) <= _TEXT_LIMIT else None
    return ("file", mode, hashlib.sha256(content).hexdigest(), text)


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
