"""What the fixtures decide about environments: ever new places, which take over from those of finished tests."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from nox_linkenv.plugins.pytest.project import ProjectUnderTest, View
from nox_linkenv.provision.policy import Cleared, Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.plugins.pytest.donors import Pool
    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.projects.requirements import LocalProject
    from nox_linkenv.resolve.request import Request

__all__ = ["FixturePolicy"]


class FixturePolicy(Policy):
    """The environments of one process of a run.

    Args:
        pool: what they may take over from.
        project: whose tests these are.
    """

    def __init__(self, pool: Pool, project: ProjectUnderTest) -> None:
        self.pool = pool
        self.project = project
        self._seen: dict[View, Tree] = {}

    def clear(self, prefix: str, former: Receipt | None, serves: Callable[[Receipt], bool]) -> Cleared:
        """Take over from an environment of the pool: nothing has ever stood at *prefix*."""
        return Cleared(previous=self.pool.take(serves))

    def registers(self, receipt: Receipt) -> bool:
        """Return whether it has symlinks: it does not outlive the test, and hard links need no root."""
        return receipt.symlinked

    @contextlib.contextmanager
    def installing(self, request: Request) -> Iterator[None]:
        """Have the project under test built by the first install of the run, for which the others wait."""
        view = self.project.named_by(request)
        if view is None or self.project.tree(view) is not None:
            yield
            return
        with self.project.first(view):
            yield
            if view in self._seen and self.project.tree(view) is None:
                self.project.settle(self._seen[view])

    def tree(self, project: LocalProject, look: Callable[[], Tree]) -> Tree:
        """Return the tree of *project*; that of the project under test as the first install of the run saw it."""
        view = View(project.path, project.plainly_editable)
        known = self.project.tree(view) if self.project.holds(project.path) else None
        tree = look() if known is None else known
        self._seen.setdefault(view, tree)
        return tree

    def pinned_tree(self, tree: Tree) -> Tree | None:
        """Return the *tree* of the project under test with a mark of this run: what is built of it serves no other."""
        if not self.project.holds(tree.project):
            return None
        marked = replace(tree, entries={**tree.entries, "the run": self.project.run})
        self.project.settle(marked)
        return marked
