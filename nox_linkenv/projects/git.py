"""The state of a git repository as far as versions and file lists are made of it.

Commits are named by their content, so the names count and the objects do not: HEAD and the branches, the tags, what
is in the index, and the configuration.  Whether the working tree is clean follows from these and from the files.

Source: https://git-scm.com/docs/gitrepository-layout and https://git-scm.com/docs/index-format
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["git_files", "index_digest"]

_PRIVATE: Final = ("HEAD", "config.worktree", "info/sparse-checkout")
_COMMON: Final = ("config", "packed-refs", "shallow", "info/exclude", "info/attributes", "info/grafts")
_DIRECTORIES: Final = ("refs/heads", "refs/tags", "refs/replace", "reftable")
_ENTRY: Final = 62  # bytes before the name of an entry: stat data, object name, flags
_EXTENDED: Final = 0x4000


def git_files(path: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the files of the repository whose ``.git`` is at *path*: their names in it, paths, whether it is the index.

    Some may not exist.

    Raises:
        OSError: a file of it cannot be read.
    """
    directory = path
    if os.path.isfile(path):  # a worktree or a submodule
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            target = stream.read().partition("gitdir:")[2].strip()
        directory = os.path.join(os.path.dirname(path), target)
        yield "", path, False
    common = directory
    try:
        with open(os.path.join(directory, "commondir"), encoding="utf-8", errors="surrogateescape") as stream:
            common = os.path.join(directory, stream.read().strip())
    except (FileNotFoundError, NotADirectoryError):
        pass
    for name in _PRIVATE:
        yield name, os.path.join(directory, name), False
    for name in _COMMON:
        yield name, os.path.join(common, name), False
    for name in _DIRECTORIES:
        for parent, _, files in os.walk(os.path.join(common, name)):
            for file in files:
                full = os.path.join(parent, file)
                yield os.path.relpath(full, common), full, False
    yield "index", os.path.join(directory, "index"), True


def index_digest(content: bytes) -> str:
    """Return a digest of the index: names, modes, objects and flags, without the files' times, which git renews."""
    digest = hashlib.sha256()
    try:
        signature, version, count = struct.unpack_from(">4sLL", content)
        position = 12
        if signature != b"DIRC" or version not in (2, 3):
            raise ValueError(version)
        for _ in range(count):
            flags: int = struct.unpack_from(">H", content, position + 60)[0]
            header = _ENTRY + (2 if flags & _EXTENDED else 0)
            end = content.index(b"\0", position + header)
            digest.update(content[position + 24 : position + 28] + content[position + 40 : end + 1])
            position += (end - position + 8) & ~7
        extensions = []
        while position < len(content) - 20:
            name, size = struct.unpack_from(">4sL", content, position)
            extensions.append(name)
            position += 8 + size
        # Anything not understood, such as names of 32 bytes or a split index, makes the whole file count.
        if position != len(content) - 20 or any(name[:1].islower() for name in extensions):
            raise ValueError(position)
    except (ValueError, struct.error):
        return hashlib.sha256(content).hexdigest()
    return digest.hexdigest()
