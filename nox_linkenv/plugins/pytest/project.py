"""The project under test: all installs of a run see it as the first one did."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple

from nox_linkenv.projects.fingerprint import Tree
from nox_linkenv.regular import read_regular
from nox_linkenv.store.notes import NoteError, parse_note, seal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.resolve.request import Request

__all__ = ["ProjectUnderTest", "View"]


class View(NamedTuple):
    """How a project is looked at: the path of its directory, and whether for an editable."""

    path: str
    editable: bool


class ProjectUnderTest:
    """The project whose tests these are.  All installs of a run see it as the first one did.

    Args:
        root: real path of the directory that pytest takes for the root of the tests.
        run: directory of the run, which all its processes share.
    """

    def __init__(self, root: str, run: str) -> None:
        self.root = root
        self.run = run
        self._trees: dict[View, Tree] = {}

    def holds(self, path: str) -> bool:
        """Return whether *path* is that of the project."""
        return self.root == path or self.root.startswith(f"{path}{os.sep}")

    def named_by(self, request: Request) -> View | None:
        """Return how *request* looks at the project, if it names it."""
        configured = any(argument.startswith(("-C", "--config-setting")) for argument in request.arguments)
        for before, argument in zip(("", *request.arguments), request.arguments, strict=False):
            path = os.path.realpath(os.path.join(request.directory, argument.partition("[")[0].strip()))
            if not argument.startswith("-") and self.holds(path) and os.path.isdir(path):
                return View(path, before in ("-e", "--editable") and not configured)
        return None

    def tree(self, view: View) -> Tree | None:
        """Return the tree as the first install of the run has seen it, ``None`` before that."""
        if view not in self._trees:
            name = self._name(view)
            with contextlib.suppress(OSError, NoteError):
                self._trees[view] = parse_note(os.path.basename(name), read_regular(name), Tree.from_json)
        return self._trees.get(view)

    def settle(self, tree: Tree) -> None:
        """Have all further installs of the run see *tree*."""
        view = View(tree.project, tree.editable)
        self._trees[view] = tree
        name = self._name(view)
        staged = f"{name}.{os.getpid()}"
        with open(staged, "wb") as stream:
            stream.write(seal(os.path.basename(name), json.dumps(asdict(tree))))
        os.replace(staged, name)

    @contextlib.contextmanager
    def first(self, view: View) -> Iterator[None]:
        """Have the other processes of the run wait while this one installs the project for the first time."""
        from filelock import FileLock

        with FileLock(f"{self._name(view)}-first"):
            yield

    def _name(self, view: View) -> str:
        digest = hashlib.sha256(os.fsencode(view.path)).hexdigest()[:16]
        return f"{self.run}/{'editable' if view.editable else 'project'}-{digest}"
