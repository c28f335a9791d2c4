"""What is remembered of a tree that was looked at: the digests of its files, and what its ``pyproject.toml`` says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from nox_linkenv.projects.build_config import Declaration
from nox_linkenv.store.notes import string, strings

__all__ = ["Index"]


@dataclass(slots=True)
class Index:
    """What is remembered of one project.

    Args:
        files: by the path of a file: its digest, and size, times and inode with which it had that content.
        text: digest of the ``pyproject.toml`` which says *declaration*.
    """

    files: dict[str, list[object]] = field(default_factory=dict)
    text: str = ""
    declaration: Declaration | None = None

    def declared(self, text: str) -> Declaration | None:
        """Return what the *text* of a ``pyproject.toml`` says, and remember it."""
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        if digest != self.text:
            from nox_linkenv.projects.declarative import declaration_of

            self.text, self.declaration = digest, declaration_of(text)
        return self.declaration

    def dumps(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Index:
        """Return what :meth:`dumps` wrote as JSON.

        Raises:
            KeyError, TypeError, ValueError: *data* is not one.
        """
        files, said = data["files"], data["declaration"]
        if not isinstance(files, dict) or not all(isinstance(item, list) and item for item in files.values()):
            raise TypeError("not a table of lists")
        if said is not None:
            tuples = {name: tuple(strings(said[name])) for name in ("copied", "files", "above")}
            said = Declaration(bool(said["repository"]), **tuples)
        return cls(files, string(data["text"]), said)
