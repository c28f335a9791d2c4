"""Digests of the archives in a directory of them, such as ``--find-links`` names: read once, and then known by stat.

A fresh clone has the same wheels with other times.  What pip answers depends on their names and contents.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.digest import digest_of
from nox_linkenv.store.layout import PROJECTS
from nox_linkenv.store.notes import string

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nox_linkenv.store import Store

__all__ = ["ArchiveDigests", "tied"]

#: Bytes of one archive, and of all in a directory, that are digested; larger ones are known by their inodes.
_EACH: Final = 64 << 20
_ALL: Final = 512 << 20
#: Nanoseconds: more than the coarsest timestamps of a filesystem in use (FAT: two seconds).
_RACY: Final = 2_500_000_000
#: Path -> signature and digest of what this process has read.
_READ: Final[dict[str, tuple[list[int], str]]] = {}


class ArchiveDigests:
    """Digests of archives, remembered by what stat says of them.

    Args:
        store: that keeps them; without one, only this process remembers.
    """

    def __init__(self, store: Store | None = None) -> None:
        self._store = store

    def of(self, directory: str, files: Mapping[str, os.stat_result]) -> dict[str, str]:
        """Return the digests of the *files* in *directory*, by their names, without those which are not to be read.

        Args:
            files: by their names, what stat says of each.
        """
        wanted = {name: status for name, status in files.items() if status.st_size <= _EACH}
        if not wanted or sum(status.st_size for status in wanted.values()) > _ALL:
            return {}
        note = PROJECTS.file(hashlib.sha256(os.fsencode(f"archives in {directory}")).hexdigest())
        known = None if self._store is None else self._store.load(note, _parse)
        found: dict[str, str] = {}
        kept: dict[str, list[object]] = {}
        now = time.time_ns()
        for name, status in wanted.items():
            signature = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
            digest = _digest(os.path.join(directory, name), signature, (known or {}).get(name, []))
            if digest is None:
                continue
            found[name] = digest
            # One that has just been changed may be changed once more, and show the same times.
            if max(status.st_mtime_ns, status.st_ctime_ns) + _RACY < now:
                kept[name] = [digest, *signature]
        if self._store is not None and kept != (known or {}):
            self._store.note(note, json.dumps({"files": kept, "text": "", "declaration": None}))
        return found


def _digest(path: str, signature: list[int], known: list[object]) -> str | None:
    """Return the digest of the file at *path*, which is *known* where it has this *signature*."""
    if known[1:] == signature:
        return str(known[0])
    read = _READ.get(path)
    if read is not None and read[0] == signature:
        return read[1]
    digest = digest_of(path)
    if digest is not None:
        _READ[path] = signature, digest
    return digest


def _parse(data: dict[str, Any]) -> dict[str, list[object]]:
    """Return what is remembered of one directory; it raises what is wrong with *data*."""
    return {string(name): [string(item[0]), *map(int, item[1:])] for name, item in data["files"].items()}


def tied(names: Collection[str]) -> set[str]:
    """Return those of the *names* of archives between which pip may find no difference but their order in a directory.

    That order is another one in another directory.  Rather too many are returned than too few.
    """
    alike: dict[tuple[str, ...], list[tuple[str, list[set[str]]]]] = defaultdict(list)
    for name in names:
        stem, _, tail = name.rpartition(".")
        if tail.lower() == "whl":
            parts = stem.lower().split("-")
            project, version, tags = parts[0], "-".join(parts[1:-3]), [set(part.split(".")) for part in parts[-3:]]
        else:
            project, _, version = re.sub(r"-(?=\d)", "\0", name.lower(), count=1).partition("\0")
            version, tags = re.sub(r"\.(zip|t[a-z]+|tar\.[a-z0-9]+)$", "", version), []
        numbers = [number.lstrip("0") for number in re.findall(r"\d+", version)]
        key = (str(bool(tags)), re.sub(r"[-_.]+", "-", project), *filter(None, numbers))
        alike[key].append((name, tags))
    found = set()
    for group in alike.values():
        for at, (name, tags) in enumerate(group):
            for other, others in group[:at]:
                if all(ours & theirs for ours, theirs in zip(tags, others, strict=False)):
                    found |= {name, other}
    return found
