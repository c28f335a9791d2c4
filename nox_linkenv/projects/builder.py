"""Making the build of one project: once, while others wait for it, and known by what it was made from."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from nox_linkenv.env.temporary import scratch
from nox_linkenv.projects.backend import BackendError, read_build_system
from nox_linkenv.projects.build_cache import Build, digest_of, load_build, write
from nox_linkenv.projects.build_run import BuildRun, Result, Work
from nox_linkenv.projects.elsewhere import moved_build, shared_build
from nox_linkenv.projects.generated import Generated, generated_files, write_again
from nox_linkenv.projects.key import look
from nox_linkenv.projects.leavings import LEAVINGS, is_product
from nox_linkenv.projects.product import tells_when_or_where
from nox_linkenv.resolve.key import Unkeyable, request_key
from nox_linkenv.resolve.pip_arguments import parse

if TYPE_CHECKING:
    from collections.abc import Collection

    from nox_linkenv.projects.build_target import BuildTarget
    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.projects.requirements import LocalProject, Requested

__all__ = ["CHANGED", "Made", "ProjectBuilder", "unchanged_but_products"]

#: Why a build is not remembered, in one clause.
CHANGED: Final = "the project changed while it was built"
_WRITES: Final = "the build changes files of the project"
_MOVING: Final = "another build of the project may come to something else"
#: From here on constraints do not reach into build environments.
_UNCONSTRAINED: Final = Version("26.2")
#: From here on builds do not inherit that prereleases are wanted.
_FINAL: Final = Version("26.0")
#: From here on every project is built by the hooks of PEP 517.
_HOOKS_ONLY: Final = Version("25.3")


def unchanged_but_products(
    before: Tree, after: Tree, generated: Collection[str] = (), nested: Collection[str] = ()
) -> bool:
    """Return whether nothing has changed but what builds leave behind.

    A build of the same sources reads and rewrites its own leavings, so the same wheel comes of the tree before and
    after it.  Anything else that changes meanwhile may be an edit: then nothing is kept.  A module that the build was
    seen to write where there was none is kept with it, and the build stands for the tree before it alone.

    Args:
        generated: paths, relative to the project, which do not count.
        nested: those of projects in it, which have been built meanwhile, too.
    """
    inside = [f"{path}/" for path in nested]
    return all(
        path in generated
        or is_product(path)
        or any(path.startswith(place) and is_product(path[len(place) :]) for place in inside)
        for path in before.changes(after)
    )


@dataclass(frozen=True, slots=True)
class Made:
    """What :meth:`ProjectBuilder.build` returns.

    Args:
        build: of the project.
        new: whether a wheel came of it that was not known.
        not_kept: why it is not remembered as the build of the tree that was asked for, in one clause; ``None`` where it
            is.
    """

    build: Build
    new: bool
    not_kept: str | None


class ProjectBuilder:
    """Builds one project, unless it has been built before."""

    def __init__(self, target: BuildTarget, requested: Requested, project: LocalProject) -> None:
        self.target = target
        self.store = target.store
        self.project = project
        system = read_build_system(project.path)
        pip = Version(target.receipt.facts.pip)
        if pip < _HOOKS_ONLY and not os.path.isfile(os.path.join(project.path, "pyproject.toml")):
            raise BackendError("its setup.py is run without hooks")
        constrained = pip < _UNCONSTRAINED
        dropped = {"PYTHONPATH", "PYTHONHOME"} | (set() if constrained else {"PIP_CONSTRAINT"})
        if not requested.isolated:
            dropped = set()
        environ = {name: value for name, value in target.request.environ.items() if name not in dropped}
        self.work = Work(project, requested, system, environ, constrained, pip < _FINAL)

    def build(self, tree: Tree, nested: Collection[str] = ()) -> Made:
        """Return the build of the project, whose *tree* is known; one process builds while others wait for it.

        Args:
            nested: paths, relative to the project, of others in it which have been built since *tree* was looked at.  A
                build that has seen their leavings stands for the tree with them.

        Raises:
            BackendError: it cannot be made here.
            UnknownTreeError: it cannot be told any more what a build sees.
        """
        context = self._context()
        with self.store.locked_for(digest_of(["project", self.work.around[0]])):
            known = self._load(context, tree) or self._like(context, tree)
            if (holding := self._holding(known, tree)) is not None:
                return Made(_usable(holding), new=False, not_kept=None)
            now = self._look()  # another process may have built it meanwhile, and left its leavings
            exact = unchanged_but_products(tree, now)
            lasts = exact or unchanged_but_products(tree, now, nested=nested)
            shown = now if lasts else self.target.pinned_tree(tree) or now
            known = known or self._load(context, shown) or self._like(context, shown) or self._moved(context, shown)
            if (holding := self._holding(known, shown)) is not None:
                return Made(_usable(holding), new=False, not_kept=None if lasts else CHANGED)
            view = self._look(other=True) if now.declarative else None  # all else is the same to both kinds of builds
            with scratch(self.store.layout, "env") as directory:
                run = BuildRun(self.target, self.work, now, directory, lambda depends: self._load(depends, now))
                result = run.run(known)
            if result.build.generated and not write_again(self.project.path, result.build.generated):
                raise BackendError("what its build writes cannot be written again")
            after = self._look()
            passing = bool(self.project.sdist)  # the next build finds nothing of what this one does to it
            kept = () if passing else result.build.generated or self._generated(now, after, result, directory)
            quiet = result.lasting and kept is not None
            not_kept = None if lasts else CHANGED
            if not quiet:
                not_kept = _MOVING if kept is not None else _WRITES
            result = replace(result, build=replace(result.build, generated=kept or ()))
            trees = ([now] if kept or passing else [now, after]) if quiet else []
            if quiet and not passing:
                trees += filter(None, [LEAVINGS.without(now)])
                LEAVINGS.left(now, after)
                if view is not None:
                    LEAVINGS.left(view, self._look(other=True))
            if exact and quiet:
                trees.append(tree)
            elif result.lasting and (alone := self.target.pinned_tree(tree)):
                trees.append(alone)
            if self.work.system.keyable:
                surroundings = self.target.surroundings()
                if result.looked is not None and quiet and not kept:
                    looked = replace(result.build, reads=result.looked)
                    for alike in (now,) if passing else (now, after):
                        write(self.store, _looked_at(context, alike), looked, surroundings.of(alike))
                for digest in {tree.digest for tree in trees}:
                    for place in filter(None, (context, None if kept else result.portable)):
                        write(self.store, digest_of([place, digest]), result.build, surroundings)
                    self._share(result.build, tree, digest)
        build = _usable(result.build)
        return Made(build, new=known is None or known.wheel != build.wheel, not_kept=not_kept)

    def _load(self, context: str, tree: Tree) -> Build | None:
        return load_build(self.store, digest_of([context, tree.digest]), self.target.surroundings())

    def _like(self, context: str, tree: Tree) -> Build | None:
        """Return the build of another tree that says the same as *tree* wherever that build has looked."""
        found = load_build(self.store, _looked_at(context, tree), self.target.surroundings().of(tree))
        return found and replace(found, reads=found.reads.outside)

    def _share(self, build: Build, tree: Tree, digest: str) -> None:
        """Keep *build* of the *tree* with this *digest* for other checkouts, if it may serve them."""
        shared = (
            tree.declarative
            and self.work.isolated
            and not self.project.sdist
            and shared_build(self.store, build, self.project.path, self.target.prefix)
        )
        if shared:
            key = digest_of([self._context(anywhere=True), digest])
            write(self.store, key, shared, self.target.surroundings())

    def _moved(self, context: str, tree: Tree) -> Build | None:
        """Return the build of another checkout that says the same as *tree*, as that of this one, and keep it."""
        if not tree.declarative or not self.work.isolated or not self.work.system.keyable or self.project.sdist:
            return None
        found = self._load(self._context(anywhere=True), tree)
        moved = None if found is None else moved_build(self.store, found, self.project.path)
        if moved is not None:
            write(self.store, digest_of([context, tree.digest]), moved, self.target.surroundings())
        return moved

    def _holding(self, build: Build | None, tree: Tree) -> Build | None:
        """Return *build* of *tree* if its requirements are still resolved as they were, with the time of the last time.

        What it writes into the project stands there then, too.
        """
        since = None if build is None else self._since(build)
        if build is None or since is None or (build.generated and not write_again(tree.project, build.generated)):
            return None
        return replace(build, time=since)

    def _since(self, build: Build) -> float | None:
        """Return when what *build* requires was last known to be resolved as it was; ``None`` where it is not."""
        if not self.work.isolated:  # it was made with what is there, which counts otherwise
            return self.target.surroundings().now
        return self.target.holds_since(build.time, build.reading)

    def _generated(self, before: Tree, after: Tree, result: Result, directory: str) -> Generated | None:
        """Return what the build in *directory* has written into the project; ``None`` where something else changed."""

        def lasts(content: bytes) -> bool:
            return not tells_when_or_where(content, directory, began=result.began, ended=result.ended)

        return generated_files(before, after, result.made, counts=lambda path: not is_product(path), lasts=lasts)

    def _look(self, *, other: bool = False) -> Tree:
        return look(self.store, self.project, self.target.prefix, other=other)

    def _context(self, *, anywhere: bool = False) -> str:
        """Return a digest of all that the build depends on besides the tree, as far as it is known beforehand.

        Args:
            anywhere: whether its path is left out.
        """
        if not self.work.isolated:
            return digest_of(["in the environment", *self.work.around, self.target.receipt.interpreter])
        request = self.work.requirements(self.work.system.requires, self.target.request.directory)
        arguments = parse(request.arguments)
        assert arguments is not None
        key = request_key(
            arguments,
            verbatim=request.arguments,
            environ=request.environ,
            directory=request.directory,
            config=self.target.config,
            prefix=self.target.prefix,
            facts=self.target.receipt.facts,
            installed="",
            store=self.store,
        )
        if isinstance(key, Unkeyable):
            raise BackendError(f"its requirements cannot be keyed: {key.reason}")
        around = ["anywhere", *self.work.around[1:]] if anywhere else self.work.around
        return digest_of([key.digest, *around, self.target.receipt.interpreter])


def _looked_at(context: str, tree: Tree) -> str:
    """Return the first key of builds in *context* that depend on what they have looked at in a project, and no more."""
    place = os.path.relpath(tree.project, tree.root)
    return digest_of([context, "looked at", place, tree.declarative])


def _usable(build: Build) -> Build:
    if build.refused:
        raise BackendError(build.refused)
    return build
