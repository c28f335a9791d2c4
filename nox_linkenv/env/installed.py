"""What is installed in an environment, and taking it out again as pip does."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_linkenv.errors import EnvError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.env.facts import Facts

__all__ = ["Distribution", "find_distributions", "installed_digest", "uninstall"]


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution found in an environment.

    Args:
        name: canonical name.
        info: its metadata directory or file, relative to the environment.
        removable: whether its RECORD tells what belongs to it.
    """

    name: str
    info: str
    removable: bool


def find_distributions(prefix: str, facts: Facts) -> Iterator[Distribution]:
    """Yield the distributions in the site-packages of the environment at *prefix*."""
    for directory in facts.site_packages:
        try:
            entries = sorted(os.listdir(f"{prefix}/{directory}"))
        except FileNotFoundError:
            continue
        for entry in entries:
            stem, suffix = os.path.splitext(entry)
            info = f"{directory}/{entry}"
            if suffix == ".dist-info":
                removable = os.path.isfile(f"{prefix}/{info}/RECORD")
                yield Distribution(canonicalize_name(stem.partition("-")[0]), info, removable)
            elif suffix in (".egg-info", ".egg", ".egg-link"):
                yield Distribution(canonicalize_name(stem.partition("-")[0]), info, False)


def installed_digest(prefix: str, facts: Facts) -> str | None:
    """Return a digest of all that pip takes into account of what is installed in the environment at *prefix*.

    Returns ``None`` where packages from outside of the environment are visible in it.
    """
    with open(f"{prefix}/pyvenv.cfg", encoding="utf-8") as stream:
        for line in stream:
            name, _, value = line.partition("=")
            if name.strip() == "include-system-site-packages" and value.strip() != "false":
                return None
    found: list[list[object]] = []
    for directory in facts.site_packages:
        found.extend(
            [name, *_stamp(f"{prefix}/{directory}/{name}")]
            for name in sorted(os.listdir(f"{prefix}/{directory}"))
            if name.endswith((".dist-info", ".egg-info", ".egg", ".egg-link"))
        )
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _stamp(info: str) -> Iterator[object]:
    """Yield what tells one metadata directory from another: METADATA's size and date, and the direct URL."""
    try:
        status = os.stat(f"{info}/METADATA" if info.endswith(".dist-info") else info)
        yield from (status.st_size, status.st_mtime_ns)
        with open(f"{info}/direct_url.json", encoding="utf-8") as stream:
            yield stream.read()
    except OSError:
        yield None


def uninstall(prefix: str, distribution: Distribution, facts: Facts) -> None:
    """Remove what the RECORD of *distribution* lists, its bytecode, and directories left empty.

    Entries outside of the environment are left alone, as pip leaves them.

    Raises:
        EnvError: it has no RECORD, or a file cannot be removed.
    """
    site = os.path.dirname(distribution.info)
    try:
        with open(f"{prefix}/{distribution.info}/RECORD", encoding="utf-8", newline="") as stream:
            listed = [row[0] for row in csv.reader(stream) if row]
        parents: set[str] = set()
        for name in listed:
            path = os.path.normpath(f"{prefix}/{site}/{name}")
            if os.path.isabs(name) or not path.startswith(prefix + os.sep):
                continue
            for victim in (path, *_bytecode(path, facts)):
                with contextlib.suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
                    os.unlink(victim)
            parents.add(os.path.dirname(path))
            parents.add(os.path.join(os.path.dirname(path), "__pycache__"))
    except OSError as error:
        raise EnvError(
            f"{distribution.name} cannot be uninstalled ({error.strerror})",
            path=error.filename or f"{prefix}/{distribution.info}",
            remedy="Let the environment be made anew.",
        ) from error
    keep = {os.path.normpath(f"{prefix}/{path}") for path in facts.schemes.values()}
    for directory in sorted(parents, key=lambda path: -path.count(os.sep)):
        _prune(directory, prefix, keep)


def _bytecode(path: str, facts: Facts) -> Iterator[str]:
    if path.endswith(".py"):
        directory, name = os.path.split(path)
        yield os.path.join(directory, "__pycache__", f"{PurePosixPath(name).stem}.{facts.cache_tag}.pyc")


def _prune(directory: str, prefix: str, keep: set[str]) -> None:
    """Remove *directory* and its parents as far as they are empty."""
    while directory.startswith(prefix + os.sep) and directory not in keep:
        try:
            os.rmdir(directory)
        except FileNotFoundError:
            pass
        except OSError:
            return
        directory = os.path.dirname(directory)
