"""What a build has looked at in its project: a tree that says the same there leads to the same wheel.

Paths are relative to the root of the tree.  Names that were looked for in a directory are written as the directory, a
``/``, and a pattern of :mod:`fnmatch`, with a ``/`` at its end where only directories were taken: ``tests/test*.py``,
``src/*/``, ``/README.md``.
"""

from __future__ import annotations

import fnmatch
import os
import re
from typing import TYPE_CHECKING, Final

from nox_linkenv.projects.looking import within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.projects.reads import Reads

__all__ = ["Inside", "values_inside"]

#: Leavings of builds, which later ones read in ways of their own.
_LEFT: Final = re.compile(r"(?:.*/)?(?:build|\.pdm-build|[^/]+\.egg-info)(?:/.*)?|.*\.(?:so|pyd|dylib)")
#: More paths than this are not told apart: then all of the tree counts.
_MANY: Final = 20_000
_REPOSITORY: Final = ".git"


class Inside:
    """Collects what one build looks at in its project.

    Attributes:
        entries: paths of which it counts what stands there, content included.
        kinds: paths of which it counts whether a file or a directory stands there.
        names: what names were looked for.
        sources: the same, where they serve nothing but setuptools' list of sources.
        whole: whether all of the tree counts, because something was read of which it is not known what.
    """

    def __init__(self, tree: Tree | None) -> None:
        self.tree = tree
        self.entries: set[str] = set()
        self.kinds: set[str] = set()
        self.names: set[str] = set()
        self.sources: set[str] = set()
        self.whole = tree is None
        if tree is not None:  # by which it is known how the project is built
            self.entry(f"{within(tree.project, tree.root)}/pyproject.toml".lstrip("/"))

    def entry(self, name: str) -> None:
        """Take in that what stands at *name* counts."""
        for path in self._led(name):
            self.entries.add(path)

    def kind(self, name: str) -> None:
        """Take in that it counts whether a file or a directory stands at *name*."""
        for path in self._led(name):
            self.kinds.add(path)

    def listed(self, name: str, pattern: str = "*", *, sources: bool = False) -> None:
        """Take in that in the directory *name* it was looked for names of a *pattern*.

        Args:
            sources: whether only setuptools' list of sources is made of them.
        """
        for path in self._led(name):
            (self.sources if sources else self.names).add(f"{path}/{pattern}")

    def scanned(self, name: str) -> None:
        """Take in that the directory *name* was gone through: kinds, sizes and times may have been read, too."""
        self.listed(name)
        assert self.tree is not None
        for path in self._led(name):
            start = f"{path}/" if path else ""
            self.entries.update(
                entry for entry in self.tree.entries if entry.startswith(start) and "/" not in entry[len(start) :]
            )

    def found(self) -> dict[str, frozenset[str]]:
        """Return what counts by the names of fields of :class:`Reads`; nothing where that is all of the tree."""
        if self.whole or self.tree is None or len(self.entries) + len(self.kinds) + len(self.names) > _MANY:
            return {}
        names = self.names | {name for name in self.sources if self._is_data(name)}
        return {"entries": frozenset(self.entries), "kinds": frozenset(self.kinds), "names": frozenset(names)}

    def _is_data(self, name: str) -> bool:
        """Return whether what setuptools lists as *name* may be data of a package: modules were sought there, too."""
        assert self.tree is not None
        places = (name.rpartition("/")[0], within(self.tree.project, self.tree.root))
        return not self.tree.declarative or not self.names.isdisjoint(f"{place}/*.py" for place in places)

    def _led(self, name: str) -> Iterator[str]:
        """Yield *name*, and where it leads if it is a link; all of the tree counts where it is of a repository."""
        assert self.tree is not None
        parts = name.split("/")
        if _REPOSITORY in parts[:-1]:
            self.whole = True
        if _LEFT.fullmatch(name):
            return
        yield name
        if self.tree.entries.get(name, "").startswith("symlink "):
            led = within(os.path.realpath(os.path.join(self.tree.root, name)), self.tree.root)
            if led is not None:
                yield led


def values_inside(tree: Tree, reads: Reads) -> Iterator[tuple[str, object]]:
    """Yield what *reads* names of the project, and what *tree* says of it, with what always counts: links, leavings."""
    children: dict[str, dict[str, str]] = {}
    always = []
    for name, entry in tree.entries.items():
        place, _, last = name.rpartition("/")
        children.setdefault(place, {})[last] = entry.partition(" ")[0]
        above, _, repository = name.partition(f"{_REPOSITORY}/")
        if repository and (not above or above.endswith("/")):
            children.setdefault(above.rstrip("/"), {})[_REPOSITORY] = "repository"
        if entry.startswith("symlink ") or name.endswith(" ->") or _LEFT.fullmatch(name):
            always.append([name, entry])
    yield "links and what builds have left", sorted(always)

    def kind(name: str) -> str | None:
        place, _, last = name.rpartition("/")
        return children.get(place, {}).get(last) if name else "directory"

    for name in sorted(reads.entries):
        yield f"{name} in the project", tree.entries.get(name) or kind(name)
    for name in sorted(reads.kinds):
        yield f"what is at {name} in the project", kind(name)
    for name in sorted(reads.names):
        place, _, pattern = name.removesuffix("/").rpartition("/")
        found = children.get(place, {})
        taken = fnmatch.filter(found, pattern)
        if name.endswith("/"):
            taken = [each for each in taken if found[each] not in ("file", "module", "special")]
        # The import system takes a directory for a package by what it finds in it, which no event tells.
        rows = sorted([each, found[each], _packaged(children, f"{place}/{each}".lstrip("/"))] for each in taken)
        yield f"names of {name} in the project", [pattern == "*" and kind(place), rows]


def _packaged(children: dict[str, dict[str, str]], name: str) -> list[str]:
    return sorted(each for each in children.get(name, ()) if each.startswith("__init__."))
