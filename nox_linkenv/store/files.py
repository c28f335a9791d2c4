"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets

__all__ = ["make_directory", "publish", "publish_text", "read_text", "staging_name"]

#: Directories are made for their owner and readers; a group-shared store widens this (see the store's mode).
DIRECTORY_MODE = 0o755


def staging_name(staging: str) -> str:
    """Return a new name in the *staging* directory that no other process uses."""
    return os.path.join(staging, f"{os.getpid()}-{secrets.token_hex(8)}")


def make_directory(path: str) -> None:
    """Make *path* and its parents; one that exists is fine."""
    os.makedirs(path, mode=DIRECTORY_MODE, exist_ok=True)


def publish(staged: str, path: str) -> None:
    """Move the finished file *staged* to *path* of the same filesystem, atomically, making the directory on demand."""
    try:
        os.replace(staged, path)
    except FileNotFoundError:
        make_directory(os.path.dirname(path))
        os.replace(staged, path)


def publish_text(staging: str, path: str, text: str) -> None:
    """Write *text* as UTF-8 to *path*: readers see the old content or the whole new one."""
    staged = staging_name(staging)
    try:
        with open(staged, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        publish(staged, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(staged)
        raise


def read_text(path: str) -> str | None:
    """Return the text of *path*, or ``None`` when there is no such file or it does not hold text."""
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return None
