"""Links: the part of an environment that is the same file as in the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nox_linkenv.digest import EXECUTABLE_SUFFIX, mtime_of
from nox_linkenv.env.paths import check_sources
from nox_linkenv.store.layout import object_name
from nox_linkenv.store.notes import integers, some

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Links", "is_executable", "joined"]


@dataclass(slots=True)
class Links:
    """Directories and, in parallel lists, the files linked into them.

    Args:
        directories: to make, parents first; relative to the environment, with ``/``.
        paths: of the links, relative to the environment.
        sources: of the files, relative to the store's format directory.
        sizes: bytes.
        mtimes: whole seconds since the epoch.
    """

    directories: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    mtimes: list[int] = field(default_factory=list)
    _folders: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def folders(self) -> list[str]:
        """Return the directory of each link: found once, because there are thousands and they are asked for often."""
        if len(self._folders) != len(self.paths):
            self._folders = [path.rpartition("/")[0] for path in self.paths]
        return self._folders

    def add(self, path: str, addr: str, size: int) -> None:
        """Add a link to the object at the address *addr*."""
        self.add_source(path, object_name(addr), size, mtime_of(addr))

    def add_source(self, path: str, source: str, size: int, mtime: int) -> None:
        """Add a link to the file *source* of the store."""
        self.paths.append(path)
        self.sources.append(source)
        self.sizes.append(size)
        self.mtimes.append(mtime)

    def selected(self, positions: Iterable[int]) -> Links:
        """Return the links at *positions*, without directories."""
        chosen = Links()
        for position in positions:
            chosen.add_source(self.paths[position], self.sources[position], self.sizes[position], self.mtimes[position])
        return chosen

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("directories", "paths", "sources", "sizes", "mtimes")}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Links:
        """Return the links that :meth:`to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: *data* is not one, or its sources are no files of a store.
        """
        links = cls(
            some(data["directories"]),  # that they hold text is seen where they are checked as paths
            some(data["paths"]),
            some(data["sources"]),
            integers(data["sizes"]),
            integers(data["mtimes"]),
        )
        if not len(links.paths) == len(links.sources) == len(links.sizes) == len(links.mtimes):
            raise ValueError("the lists of links differ in length")
        check_sources(links.sources)
        return links


def joined(first: Links, second: Links) -> Links:
    """Return the links of both, those of *first* first."""
    links = Links(
        list(dict.fromkeys([*first.directories, *second.directories])),
        first.paths + second.paths,
        first.sources + second.sources,
        first.sizes + second.sizes,
        first.mtimes + second.mtimes,
    )
    links._folders = first.folders() + second.folders()
    return links


def is_executable(source: str) -> bool:
    """Return whether the file *source* of the store is an executable object."""
    return source.endswith(EXECUTABLE_SUFFIX)
