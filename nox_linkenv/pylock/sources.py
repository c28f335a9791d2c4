"""Where the stored wheels came from, by the answers of pip that are remembered."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from nox_linkenv.projects.build_cache import ProjectResolution, parse_project_resolution
from nox_linkenv.resolve.cache import CachedResolution, parse_resolution
from nox_linkenv.resolve.specifiers import bare
from nox_linkenv.store.directories import names_of
from nox_linkenv.store.layout import ANSWERS, RESOLUTIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from nox_linkenv.store import Store

__all__ = ["Source", "Sources", "local_path", "source_of"]

_SHA256_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Source:
    """An archive that a wheel is, or was built from.

    Args:
        url: without user name, password and fragment.
        sha256: hexadecimal digest of the archive.
    """

    url: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The last part of the URL's path."""
        return unquote(urlsplit(self.url).path).rpartition("/")[2]

    @property
    def is_wheel(self) -> bool:
        """Whether the archive is the wheel itself."""
        return self.file_name.endswith(".whl")


def local_path(url: str) -> str | None:
    """Return the absolute path that a ``file:`` URL names; ``None`` for any other URL."""
    parts = urlsplit(url)
    return unquote(parts.path) if parts.scheme == "file" and parts.netloc in ("", "localhost") else None


def source_of(requirement: str) -> Source | None:
    """Return what a *requirement* ``name @ URL#sha256=digest`` names; ``None`` where it has no digest.

    Source: https://packaging.python.org/en/latest/specifications/version-specifiers/#direct-references
    """
    url = requirement.partition(" @ ")[2]
    digest = parse_qs(urlsplit(url).fragment).get("sha256", [""])[0]
    return Source(bare(url), digest) if len(digest) == _SHA256_LENGTH else None


class Sources:
    """What the remembered answers say of each wheel.

    Args:
        store: that remembers them.
        plans: names of the plans that are to be locked: their own answers count before others.
    """

    def __init__(self, store: Store, plans: Collection[str]) -> None:
        self._store = store
        self._found: dict[str, tuple[tuple[bool, float, str], Source]] = {}
        for answer in self._answers():
            self._add(answer, own=isinstance(answer, CachedResolution) and answer.plan in plans)

    def of(self, wheel: str) -> Source | None:
        """Return where the wheel with that hexadecimal SHA-256 came from, ``None`` where nothing remembers it."""
        found = self._found.get(wheel)
        return None if found is None else found[1]

    def _answers(self) -> Iterator[CachedResolution | ProjectResolution]:
        for directory, parse in ((RESOLUTIONS, parse_resolution), (ANSWERS, _project)):
            for name in self._names(directory.name):
                answer: CachedResolution | ProjectResolution | None = self._store.load(name, parse)
                if answer is not None:
                    yield answer

    def _names(self, directory: str) -> set[str]:
        """Return the names of the notes in a *directory* of the store and of those below it."""
        return {
            f"{directory}/{shard}/{name}"
            for layer in self._store.layers
            for shard in names_of(f"{layer.base}/{directory}")
            for name in names_of(f"{layer.base}/{directory}/{shard}")
            if name.endswith(".json")
        }

    def _add(self, answer: CachedResolution | ProjectResolution, *, own: bool) -> None:
        parts = (
            [(part.digest, part.requirement) for part in answer.wheels]
            if isinstance(answer, CachedResolution)
            else [(part.wheel, part.requirement) for part in answer.parts if part.project is None]
        )
        for wheel, requirement in parts:
            source = source_of(requirement)
            # What was built of a local project lies in the store, where the lock's readers do not look.
            if source is None or (local_path(source.url) or "").startswith(self._store.layout.root + os.sep):
                continue
            rank = (own, answer.time, source.url)
            if wheel not in self._found or self._found[wheel][0] < rank:
                self._found[wheel] = (rank, source)


def _project(data: dict[str, Any]) -> ProjectResolution | None:
    """Return the answer, ``None`` where *data* says what builds have read for answers which lie elsewhere."""
    return None if "parts" not in data else parse_project_resolution(data)
