"""Looking at an environment after a session: what of its packages has changed, and what it has imported."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nox_linkenv.env.links import Links, is_executable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Audit", "audit_links", "imported"]


@dataclass(slots=True)
class Audit:
    """What became of linked files.

    Args:
        edited: positions of files that are still the store's and are not as expected: edited through the link.
        replaced: positions of files that are others now.
        removed: positions of files that are gone.
    """

    edited: list[int] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)


def audit_links(prefix: str, base: str, links: Links) -> Audit:
    """Compare the files of *links* in the environment at *prefix* with what they were linked as.

    Args:
        base: the store's format directory.
    """
    audit = Audit()
    lstat = os.lstat
    modes = (stat.S_IFREG | 0o644, stat.S_IFREG | 0o755)
    root = prefix + "/"
    for position, (path, source, size, mtime) in enumerate(
        zip(links.paths, links.sources, links.sizes, links.mtimes, strict=True)
    ):
        try:
            status = lstat(root + path)
        except OSError:
            audit.removed.append(position)
            continue
        if status.st_mtime == mtime and status.st_size == size and status.st_mode == modes[is_executable(source)]:
            continue
        try:
            same = os.path.samestat(status, os.stat(f"{base}/{source}"))
        except OSError:
            same = False
        (audit.edited if same else audit.replaced).append(position)
    return audit


def imported(prefix: str, modules: Mapping[str, str], cache_tag: str) -> set[str]:
    """Return those of *modules* (paths) for which the session's interpreter has left bytecode of its own."""
    directories: dict[str, set[str]] = {}
    found = set()
    for path in modules:
        directory, _, name = path.rpartition("/")
        if directory not in directories:
            try:
                directories[directory] = set(os.listdir(f"{prefix}/{directory}/__pycache__"))
            except OSError:
                directories[directory] = set()
        if f"{name[:-3]}.{cache_tag}.pyc" in directories[directory]:
            found.add(path)
    return found
