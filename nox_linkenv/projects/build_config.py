"""What a project's ``pyproject.toml`` declares about what its build looks at."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Declaration", "above", "read_declared"]


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is known of the build of a declarative project.

    Args:
        repository: whether the backend asks the repository around the project which files are ignored.
        copied: beginnings of the paths, with ``/``, of what an editable wheel, too, may hold a copy of; ``""`` is all.
        files: of the project, each of which would make it another one: it brings code into the build, or configures it.
        above: such files as the backend also looks for in the directories above the project.
    """

    repository: bool
    copied: tuple[str, ...]
    files: tuple[str, ...]
    above: tuple[str, ...]

    def holds(self, project: str) -> bool:
        """Return whether nothing in or above the directory *project*, an absolute path, speaks against it."""
        if any(os.path.lexists(os.path.join(project, name)) for name in self.files):
            return False
        places = [os.path.join(parent, name) for parent in above(project) for name in self.above]
        return not any(map(os.path.lexists, places))

    def counts(self, name: str, *, inner: str) -> bool:
        """Return whether the Python module *name* counts for an editable with its content, not only by being there.

        Args:
            inner: path of the project within the tree, empty or with ``/`` at its end.
        """
        return name.removeprefix(inner).startswith(self.copied)


def read_declared(project: str) -> str:
    """Return the text of ``pyproject.toml`` in the directory *project*, empty where there is none.

    Raises:
        OSError: it is there and cannot be read.
    """
    try:
        with open(f"{project}/pyproject.toml", encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""


def above(directory: str) -> Iterator[str]:
    """Yield the directories above *directory*, an absolute path, the closest first."""
    while (parent := os.path.dirname(directory)) != directory:
        yield parent
        directory = parent
