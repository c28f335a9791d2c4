"""A process that takes files of an archive into a store, beside the one that reads the archive.

Threads of one process wait for each other between any two calls of the system, and a file takes some ten.  The process
is told by lines of JSON which packs to take in, says of each what came, and ends when nothing more can be said to it.
What it cannot do it leaves: who asked does that himself, and meets what is wrong.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import Any, Final

from nox_linkenv.env.interpreter.isolated import module_command
from nox_linkenv.store.layout import Layout
from nox_linkenv.transfer.container import Archive, Contents, Pack
from nox_linkenv.transfer.files_in import Came, FilesIn

__all__ = ["Helper", "helpers_for"]

#: Packages that it imports besides this one.
_NEEDED: Final = ("backports",)
#: Bytes of files that are worth a process: it takes a tenth of a second to start.
_WORTH: Final = 64 << 20
#: Processes at the most: each takes some 30 MB.
_MOST: Final = 3


def helpers_for(size: int) -> int:
    """Return how many processes are worth starting for files of *size* bytes, on this machine."""
    return min(_cores() - 1, _MOST, size // _WORTH)


class Helper:
    """The process, for one thread.

    Args:
        layout: of the store, whose lock is held meanwhile.
        archive: path of the archive.
    """

    def __init__(self, layout: Layout, archive: str) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        with contextlib.suppress(OSError):
            self._process = subprocess.Popen(
                module_command(__name__, _NEEDED),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=os.path.abspath(os.sep),
            )
            self._tell([layout.root, archive])

    def take(self, pack: Pack, staging: str) -> Came | None:
        """Have *pack* taken in, as :meth:`FilesIn.take` says; ``None`` where that has not been done."""
        try:
            self._tell([pack.start, pack.head, pack.body, pack.size, pack.digest, staging])
            return Came(*json.loads(self._heard()))
        except (OSError, TypeError, ValueError):
            return None

    def close(self) -> None:
        """End it, whatever it does."""
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(OSError):
                self._process.communicate()

    def _tell(self, message: Any) -> None:
        if self._process is None or self._process.stdin is None:
            raise BrokenPipeError
        self._process.stdin.write(f"{json.dumps(message)}\n".encode())
        self._process.stdin.flush()

    def _heard(self) -> bytes:
        if self._process is None or self._process.stdout is None:
            raise BrokenPipeError
        return self._process.stdout.readline()


def _serve() -> None:
    """Do what standard input says, until that is closed or something is wrong."""
    lines = sys.stdin.buffer
    root, path = json.loads(lines.readline())
    archive = Archive(path)
    files = FilesIn(Layout(root), archive)
    for line in lines:
        *values, staging = json.loads(line)
        pack = Pack(Contents.FILES, *values)
        came = files.take(pack, archive.members(pack), staging)
        sys.stdout.write(f"{json.dumps(came)}\n")
        sys.stdout.flush()


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


if __name__ == "__main__":
    _serve()
