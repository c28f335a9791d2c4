"""Provisioning for tests: environments at ever new places, which take over from those of finished tests."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, NamedTuple

from nox_linkenv.env.receipt import DIRECTORY, Receipt, read_receipt, remove_receipt, write_receipt
from nox_linkenv.projects.fingerprint import Tree
from nox_linkenv.provision.installer import Provision
from nox_linkenv.store.trash import empty_trash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nox_linkenv.config import Settings
    from nox_linkenv.projects.requirements import LocalProject
    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.resolve.request import Outcome, Request

__all__ = ["FixtureProvision", "Pool", "ProjectUnderTest", "View"]


class Pool:
    """Environments of finished tests, for the next ones to take over from.

    Args:
        size: the most that are kept.
    """

    def __init__(self, size: int = 2) -> None:
        self.size = size
        self._donors: list[tuple[Receipt, str]] = []

    def put(self, prefix: str, receipt: Receipt | None) -> None:
        """Take the environment at *prefix* away from there, at once; remove what is not worth keeping."""
        aside = f"{os.path.dirname(prefix)}/.former-{secrets.token_hex(4)}"
        with contextlib.suppress(OSError):
            os.chmod(prefix, 0o700)  # a directory that is not writable cannot be moved
        os.rename(prefix, aside)
        if receipt is None or receipt.skeleton is None or not _is_plain(aside, receipt) or _is_in_use(prefix, aside):
            empty_trash(aside)
            return
        ours = f"{aside}/{DIRECTORY}"
        with contextlib.suppress(OSError):
            for name in os.listdir(ours):
                if not name.endswith((".state", ".json")):
                    empty_trash(f"{ours}/{name}")
        self._donors.append((receipt, aside))
        while len(self._donors) > self.size:
            empty_trash(self._donors.pop(0)[1])

    def take(self, serves: Callable[[Receipt], bool]) -> str | None:
        """Return the latest environment whose receipt *serves*."""
        for at in reversed(range(len(self._donors))):
            receipt, path = self._donors[at]
            if serves(receipt):
                del self._donors[at]
                return path
        return None


def _is_plain(prefix: str, receipt: Receipt) -> bool:
    """Return whether site-packages lies in the environment itself: nothing is taken from where a symlink leads."""
    return all(
        os.path.realpath(f"{prefix}/{directory}") == f"{prefix}/{directory}"
        for directory in receipt.facts.site_packages
    )


def _is_in_use(prefix: str, aside: str) -> bool:
    """Return whether a process works in the environment: what it still writes there must not reach another one."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return False
    inside = (f"{prefix}/", f"{aside}/")
    for name in names:
        if name.isdecimal():
            with contextlib.suppress(OSError):
                if (os.readlink(f"/proc/{name}/cwd") + "/").startswith(inside):
                    return True
    return False


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
            with contextlib.suppress(OSError, ValueError), open(self._name(view), encoding="utf-8") as stream:
                self._trees[view] = Tree(**json.load(stream))
        return self._trees.get(view)

    def settle(self, tree: Tree) -> None:
        """Have all further installs of the run see *tree*."""
        view = View(tree.project, tree.editable)
        self._trees[view] = tree
        staged = f"{self._name(view)}.{os.getpid()}"
        with open(staged, "w", encoding="utf-8") as stream:
            json.dump(asdict(tree), stream)
        os.replace(staged, self._name(view))

    @contextlib.contextmanager
    def first(self, view: View) -> Iterator[None]:
        """Have the other processes of the run wait while this one installs the project for the first time."""
        from filelock import FileLock

        with FileLock(f"{self._name(view)}-first"):
            yield

    def _name(self, view: View) -> str:
        digest = hashlib.sha256(os.fsencode(view.path)).hexdigest()[:16]
        return f"{self.run}/{'editable' if view.editable else 'project'}-{digest}"


class FixtureProvision(Provision):
    """Provisions one environment of a test.

    Args:
        pool: what it may take over from.
        project: whose tests these are.
    """

    def __init__(
        self,
        prefix: str,
        settings: Settings,
        *,
        session: str,
        clock: Callable[[], float],
        pool: Pool,
        project: ProjectUnderTest,
    ) -> None:
        super().__init__(prefix, settings, session=session, clock=clock)
        self.pool = pool
        self.project = project
        self._seen: dict[View, Tree] = {}

    def install(self, request: Request, pip: Pip) -> Outcome:
        """Install what *request* asks for; the project under test is built by the first install of the run."""
        view = self.project.named_by(request)
        if view is None or self.project.tree(view) is not None:
            return super().install(request, pip)
        with self.project.first(view):
            outcome = super().install(request, pip)
            if view in self._seen and self.project.tree(view) is None:
                self.project.settle(self._seen[view])
        return outcome

    def look(self, project: LocalProject, request: Request) -> Tree:
        """Return the tree of *project*; that of the project under test as the first install of the run saw it."""
        view = View(project.path, project.plainly_editable)
        settled = self.project.tree(view) if self.project.holds(project.path) else None
        tree = super().look(project, request) if settled is None else settled
        self._seen.setdefault(view, tree)
        return tree

    def pinned_tree(self, tree: Tree) -> Tree | None:
        """Return the *tree* of the project under test with a mark of this run: what is built of it serves no other."""
        if not self.project.holds(tree.project):
            return None
        marked = replace(tree, entries={**tree.entries, "the run": self.project.run})
        self.project.settle(marked)
        return marked

    def furnish(self, receipt: Receipt) -> None:
        """Link what the plans of *receipt* link, and leave all else of them to the caller."""
        from nox_linkenv.env.assembly.apply import LinkApplier, stored_plan

        own = self.receipt
        assert own is not None
        remove_receipt(self.prefix)
        applier = LinkApplier(self.store, self.assembler, receipt.facts, self.settings)
        for name in receipt.plans:
            plan = stored_plan(self.store, name)
            if plan is not None:
                applier.apply_links(name, plan.links, [])

    def finish_like(self, receipt: Receipt) -> None:
        """Finish an environment that has become what the one with *receipt* is."""
        self._receipt = replace(receipt, session=self.session)
        write_receipt(self.prefix, self._receipt)

    def refresh(self) -> None:
        """Look at the receipt again: it may have been changed by other means than this object."""
        self._receipt = read_receipt(self.prefix)

    def _set_aside(self, skeleton: str | None) -> str | None:
        return self.pool.take(lambda former: self.succeeds(former, skeleton))

    def _register(self, receipt: Receipt, *, until: float = 0.0) -> None:
        """Register only what has symlinks: the environment does not outlive the test, and hard links need no root."""
        if receipt.symlinked:
            super()._register(receipt, until=until)
