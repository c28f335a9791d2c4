"""What the system allows between two directories: tried on the real pair, because nothing else tells."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nox_linkenv.linking import CLONE_REFUSALS, REFUSALS, SYMLINK_REFUSALS, LinkMode, clone_file, probe_hardlink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Abilities", "Mount", "existing", "mount_of", "probe"]

#: How mountinfo writes spaces and the like: three octal digits for a byte.
_ESCAPED: Final = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Abilities:
    """Which link modes work from one directory into another.

    Args:
        refused: why not, by mode; a mode that is not in it works.
    """

    refused: Mapping[LinkMode, str]

    def works(self, mode: LinkMode) -> bool:
        return mode not in self.refused


def probe(source: str | None, directory: str) -> Abilities:
    """Try every link mode with the file *source* in *directory*, which exists.

    Args:
        source: absolute path; ``None`` where there is nothing to try with, and nothing is known to work.
    """
    if source is None:
        nothing = "the store is empty and cannot be written"
        return Abilities(dict.fromkeys((LinkMode.HARDLINK, LinkMode.CLONE, LinkMode.SYMLINK), nothing))
    refused = {}
    error = probe_hardlink(source, directory)
    if error is not None:
        refused[LinkMode.HARDLINK] = _words(error, REFUSALS)
    for mode, make, words in (
        (LinkMode.CLONE, clone_file, CLONE_REFUSALS),
        (LinkMode.SYMLINK, os.symlink, SYMLINK_REFUSALS),
    ):
        error = _try(make, source, f"{directory}/.linkenv-probe-{secrets.token_hex(8)}")
        if error is not None:
            refused[mode] = _words(error, words)
    return Abilities(refused)


def _try(make: Callable[[str, str], None], source: str, target: str) -> OSError | None:
    try:
        make(source, target)
    except OSError as error:
        return error
    with contextlib.suppress(OSError):
        os.unlink(target)
    return None


def _words(error: OSError, words: Mapping[int, str]) -> str:
    return words.get(error.errno or 0) or str(error.strerror)


def existing(path: str) -> str:
    """Return *path* or the nearest directory above it that exists."""
    while not os.path.isdir(path):
        above = os.path.dirname(path)
        if above == path:
            break
        path = above
    return path


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted filesystem.

    Args:
        point: absolute path of the directory where it is mounted.
        kind: such as ``ext4``; empty where the system does not say.
        options: of the filesystem itself, such as an overlay's ``upperdir=``.
    """

    point: str
    kind: str = ""
    options: str = ""


def mount_of(path: str) -> Mount:
    """Return the mount that the existing *path* lies in; bind mounts count, where the system tells of them."""
    path = os.path.realpath(path)
    found: Mount | None = None
    if sys.platform == "linux":
        with contextlib.suppress(OSError), open("/proc/self/mountinfo", "rb") as stream:
            for line in stream:  # proc(5): ... root mount-point options - type source super-options
                first, _, second = line.rstrip(b"\n").partition(b" - ")
                point = os.fsdecode(_ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), first.split(b" ")[4]))
                if path == point or path.startswith(point.rstrip("/") + "/"):
                    kind, _, options = os.fsdecode(second).split(" ")[:3]
                    if found is None or len(point) >= len(found.point):  # a later mount covers an earlier one
                        found = Mount(point, kind, options)
    if found is not None:
        return found
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return Mount(path)
