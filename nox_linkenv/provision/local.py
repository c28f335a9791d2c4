"""Requests with local projects in them: built once, in linked build environments, known by what they were built from.

There are two levels of reuse.  A request whose projects are unchanged is answered from memory like any other, because
the fingerprints of the trees are part of its key.  Where a tree has changed, the project is built again; if that
leaves its metadata as it was, what pip answered about all the other distributions still holds.

Whatever fails here is left to pip, which then fails, or succeeds, in its own words.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_linkenv.env.planning import Installable
from nox_linkenv.errors import ResolutionError, WheelError
from nox_linkenv.progress import ASKING, doing
from nox_linkenv.projects.backend import BackendError, read_build_system
from nox_linkenv.projects.build_cache import (
    Build,
    ProjectResolution,
    ResolvedPart,
    load_project_resolution,
    metadata_digest,
    write,
)
from nox_linkenv.projects.build_target import BuildTarget
from nox_linkenv.projects.builder import CHANGED, ProjectBuilder, unchanged_but_products
from nox_linkenv.projects.elsewhere import moved_resolution, shared_resolution
from nox_linkenv.projects.fingerprint import Tree, UnknownTreeError
from nox_linkenv.projects.generated import places
from nox_linkenv.projects.looking import within
from nox_linkenv.projects.reads import Reads
from nox_linkenv.projects.sdist_cache import SourceBuilds
from nox_linkenv.projects.substitutes import read_report_for, with_substitutes
from nox_linkenv.provision.answer import (
    FAILED,
    Answer,
    RefusedError,
    StoredWheel,
    asked,
    install_answer,
    local_archives,
    moving,
    reason_to_ask,
    stored_wheels,
)
from nox_linkenv.provision.early import asked_early
from nox_linkenv.provision.pip_builds import UNSEEN, PipBuilds, pip_builds
from nox_linkenv.resolve.cache import ago, save_inputs
from nox_linkenv.resolve.dry_run import DryRun, PipAnswer
from nox_linkenv.resolve.key import MORE, Key, Unkeyable
from nox_linkenv.resolve.pip_arguments import Arguments
from nox_linkenv.resolve.report import Origin, Resolved
from nox_linkenv.resolve.request import Course, Outcome, Source
from nox_linkenv.resolve.unsupported import unsupported

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from contextlib import AbstractContextManager

    from nox_linkenv.projects.build_target import MakeBuildEnvironment
    from nox_linkenv.projects.key import ProjectKey
    from nox_linkenv.projects.requirements import LocalProject
    from nox_linkenv.provision.early import EarlyAnswer
    from nox_linkenv.provision.environment import Environment
    from nox_linkenv.provision.keys import RequestKeys
    from nox_linkenv.resolve.pip import TimedPip
    from nox_linkenv.store import Manifest

__all__ = ["LeftToPip", "install_local"]


@dataclass(frozen=True, slots=True)
class LeftToPip:
    """A request that cannot be answered here.

    Attributes:
        reason: why, in one clause.
        answered: what pip has answered, where it has been asked and that answer still serves.
    """

    reason: str
    answered: PipAnswer | None = None


def install_local(
    environment: Environment,
    keys: RequestKeys,
    key: ProjectKey,
    pip: TimedPip,
    make_environment: MakeBuildEnvironment,
) -> Outcome | LeftToPip:
    """Build the projects of the request of *keys* and install all of it; or say why that is left to pip.

    Args:
        key: of the request.
        make_environment: makes the environments that projects are built in.

    Raises:
        LinkenvError: the store or the environment cannot be written.
        Whatever *pip* raises where pip fails.
    """
    reason = unsupported(keys.request.environ, keys.config)
    if reason is not None:
        return LeftToPip(reason)
    work = _LocalRequest(environment, keys, key, pip, make_environment)
    try:
        outcome = work.from_cache()
        if outcome is None and environment.settings.offline:
            return LeftToPip("with its local projects as they are now")
        return outcome or work.from_pip()
    except (BackendError, UnknownTreeError, RefusedError, ResolutionError, WheelError) as error:
        return LeftToPip(f"the local project is not built here: {error}")


class _LocalRequest:
    """Answers one request."""

    def __init__(
        self,
        environment: Environment,
        keys: RequestKeys,
        key: ProjectKey,
        pip: TimedPip,
        make_environment: MakeBuildEnvironment,
    ) -> None:
        assert keys.receipt is not None
        assert keys.arguments is not None
        self.environment = environment
        self.store = environment.store
        self.keys = keys
        self.key = key
        self.receipt = keys.receipt
        self.arguments = keys.arguments
        self.pip = pip
        self.target = BuildTarget(
            store=environment.store,
            prefix=environment.prefix,
            receipt=keys.receipt,
            request=keys.request,
            config=keys.config,
            surroundings=keys.surroundings,
            holds_since=keys.holds_since,
            pinned_tree=environment.policy.pinned_tree,
            make_environment=make_environment,
        )
        self.built: list[str] = []
        self.not_kept: str | None = None  # why the answer is not, in one clause
        self.too_old: str | None = None  # why an answer that is remembered does not hold any more, in one clause
        self.generated: dict[str, frozenset[str]] = {}  # path of a project -> what its build writes into it

    def from_cache(self) -> Outcome | None:
        """Build, and take all else from memory; ``None`` where pip must be asked."""
        known = load_project_resolution(self.store, self.key.base.digest, self.keys.surroundings())
        here = known is not None
        known = known or self._of_another_checkout()
        since = None if known is None else self.keys.holds_since(known.time, known.reading)
        if known is None:
            return None
        if since is None:  # whatever else is different now, it was this that had pip asked
            self.too_old = self.keys.not_reused or "the resolution is too old"
            return None
        builds = self._builds()
        by_path = {project.path: build for project, build in zip(self.key.requested.projects, builds, strict=True)}
        parts = []
        for part in known.parts:
            if part.project is not None:
                build = by_path[part.project]
                if build.metadata != part.metadata:
                    return None
                part = replace(part, wheel=build.wheel, requirement=self._requirement(part.name, build))
            parts.append(part)
        age = ago(self.environment.clock() - known.time)
        did = f"built {', '.join(self.built)}" if self.built else "reused the build"
        renewed = since != known.time
        found = replace(known, time=since, parts=tuple(parts))
        source = Source.RENEWED if renewed else Source.REUSED
        course = Course(source, f"{did} and {source.value} the resolution of {age}")
        return self._install(found, builds, course, new=renewed or not here)

    def _of_another_checkout(self) -> ProjectResolution | None:
        """Return what pip has answered to the same request in another checkout, as it would answer in this one."""
        if self.key.anywhere is None:
            return None
        found = load_project_resolution(self.store, self.key.anywhere, self.keys.surroundings())
        return found and moved_resolution(found, self.key.requested, self.keys.request.directory)

    def from_pip(self) -> Outcome | LeftToPip:
        """Ask pip, and build.

        Raises:
            BackendError, RefusedError: this is left to pip.
        """
        with pip_builds(self.environment, self.keys) as watched:
            apart = self.pip.apart()
            with watched.watched(), self._asked_early(apart) as early:
                builds = self._builds()
                answered = None if early is None else early.taken(builds[0])
            if answered is not None:
                self.pip.count(apart)
            watched.tree = self._tree_as_built()
            return self._from_pip(builds, answered, watched)

    def _tree_as_built(self) -> Tree | None:
        """Return the tree which all projects lie in, as their builds have left it; ``None`` where there is none."""
        now = self.keys.again().key
        if isinstance(now, Key | Unkeyable):
            return None
        return next(
            (tree for tree in now.trees if all(within(part.root, tree.root) is not None for part in now.trees)), None
        )

    def _from_pip(self, builds: Sequence[Build], answered: PipAnswer | None, watched: PipBuilds) -> Outcome | LeftToPip:
        if answered is None:
            with watched.watched():
                answered = self._answered(builds) or self._dry_run.ask(self.pip)
        watched.finish(0, known=[] if answered is None else self._made_alike(answered.resolved, builds))
        if answered is None:
            return Outcome((), FAILED)
        self.environment.notes.extend(answered.notes)
        if unknown := self.key.base.remote - answered.files:
            return LeftToPip(f"{min(unknown)} {MORE}")
        resolved = answered.resolved
        now = self.environment.clock()
        local = (Origin.DIRECTORY, Origin.EDITABLE)
        projects = {self._place_of(item): item for item in resolved if item.origin in local}
        if projects.keys() != {project.path for project in self.key.requested.projects}:
            why = "the local project is not built here: it is not installed, or others are"
            return LeftToPip(why, answered)
        others = [item for item in resolved if item.origin not in local]
        if self.key.requested.config and any(item.origin is not Origin.WHEEL for item in others):
            raise BackendError("settings for build backends are given for more than it")
        if not self.key.requested.isolated and any(item.origin is not Origin.WHEEL for item in others):
            raise BackendError("more than it is built without isolation")
        names = {projects[project.path].name: at for at, project in enumerate(self.key.requested.projects)}
        request, listed = self.keys.request, self.key.requested.listed.options
        arguments = Arguments(self.arguments.requirements, [*self.arguments.options, *listed])
        sources = SourceBuilds(
            self.store,
            request,
            arguments,
            self.keys.config,
            self.environment.prefix,
            self.receipt,
            self.keys.surroundings,
        )
        manifests = stored_wheels(others, sources, watched, self.environment, arguments, self.pip)
        parts = [
            self._local(item, self.key.requested.projects[names[item.name]], builds[names[item.name]])
            if item.name in names
            else ResolvedPart(
                item.name, manifests[item.name].digest, item.requested, item.direct_url, item.requirement()
            )
            for item in resolved
        ]
        unseen = any(build.reads.unseen for build in builds) or not watched.lasting
        reason = UNSEEN if unseen else self.too_old
        course = reason_to_ask(self.store, self.keys, self.key.full) if reason is None else asked(reason)
        self.not_kept = self.not_kept or (UNSEEN if not watched.lasting else moving(others))
        reads = watched.reads | local_archives(others, self.key.base, request.directory)
        found = ProjectResolution(now, tuple(parts), reads, answered.reading, pip_seconds=self.pip.seconds)
        return self._install(found, builds, course, new=True)

    def _asked_early(self, pip: TimedPip) -> AbstractContextManager[EarlyAnswer | None]:
        return asked_early(self.environment, self.key.requested, self.keys.request, self._dry_run, pip)

    @property
    def _dry_run(self) -> DryRun:
        return DryRun(self.store, self.keys.request.environ, self.keys.config)

    def _answered(self, builds: Sequence[Build]) -> PipAnswer | None:
        """Return what pip answers if the built wheels stand in for the projects.

        ``None`` where it answers nothing, or where it would look at what is installed: a wheel of the version that is
        there is left out, a directory never is.
        """
        manifests = [self.store.manifest(build.wheel) for build in builds]
        if self.environment.replaced([manifest.name for manifest in manifests if manifest is not None]):
            return None
        paths = [os.path.join(self.store.layout.base, build.archive) for build in builds]
        wheels = dict(zip(self.key.requested.projects, paths, strict=True))
        arguments = with_substitutes(self.key.requested, wheels)
        if arguments is None:
            return None

        def run(options: Sequence[str], *, record: str) -> bool:
            with doing(ASKING):
                return self.pip.fetch(["install", *options, *arguments], record=record)

        return self._dry_run.run(run, lambda text: read_report_for(text, wheels, self.keys.request.directory))

    def _made_alike(self, resolved: Sequence[Resolved], builds: Sequence[Build]) -> list[str]:
        """Return the paths of the projects of which pip has made the same metadata as the wheels that were built have.

        What else decides about them is known with the build: another checkout's is compared with these metadata.
        """
        seen = {self._place_of(item): item.metadata for item in resolved if item.metadata}
        pairs = zip(self.key.requested.projects, builds, strict=True)
        return [
            project.path
            for project, build in pairs
            if project.path in seen and metadata_digest(seen[project.path]) == build.metadata
        ]

    def _place_of(self, item: Resolved) -> str:
        """Return the real path of the project that pip has resolved as *item*."""
        relative = (project.path for project in self.key.requested.projects if item.url in project.noted_as)
        return next(relative, None) or os.path.realpath(item.path or "")

    def _local(self, item: Resolved, project: LocalProject, build: Build) -> ResolvedPart:
        manifest = self.store.manifest(build.wheel)
        if manifest is None or canonicalize_name(manifest.name) != canonicalize_name(item.name):
            raise BackendError("its wheel has another name than its metadata said")
        if manifest.version != item.version:
            raise BackendError("its wheel has another version than its metadata said")
        requirement = self._requirement(item.name, build)
        return ResolvedPart(
            item.name, build.wheel, item.requested, item.direct_url, requirement, project.path, build.metadata
        )

    def _requirement(self, name: str, build: Build) -> str:
        return f"{name} @ {Path(self.store.layout.base, build.archive).as_uri()}#sha256={build.wheel}"

    def _builds(self) -> list[Build]:
        return [
            self._build(project, tree)
            for project, tree in zip(self.key.requested.projects, self.key.trees, strict=True)
        ]

    def _build(self, project: LocalProject, tree: Tree) -> Build:
        made = ProjectBuilder(self.target, self.key.requested, project).build(tree, self._nested(tree))
        if made.new:
            self.built.append(os.path.basename(project.path))
        self.not_kept = self.not_kept or made.not_kept
        self.generated[project.path] = places(made.build.generated)
        return made.build

    def _install(self, found: ProjectResolution, builds: Sequence[Build], course: Course, *, new: bool) -> Outcome:
        """Install what was *found*; remember it as pip's answer where it is *new*."""

        def wheels() -> list[StoredWheel]:
            return [
                StoredWheel(part.name, Installable(manifest, part.requested, part.direct_url), part.requirement)
                for part, manifest in self._manifests(found)
            ]

        answer = Answer(
            time=min([found.time, *(build.time for build in builds)]),
            names=[part.name for part in found.parts],
            wheels=wheels,
            lasting_keys=lambda: self._lasting_keys(found if new else None),
            course=course,
            reads=lambda: Reads.union([found.reads, *(build.reads for build in builds)]),
            reading=sum((build.reading for build in builds), found.reading),
            not_kept=lambda: self.not_kept,
            pip_seconds=lambda: found.pip_seconds,
        )
        return install_answer(self.environment, self.keys, answer, self.pip)

    def _manifests(self, found: ProjectResolution) -> Iterator[tuple[ResolvedPart, Manifest]]:
        for part in found.parts:
            manifest = self.store.manifest(part.wheel)
            if manifest is None:
                raise RefusedError(f"the wheel of {part.name} is not stored any more")
            yield part, manifest

    def _lasting_keys(self, asked: ProjectResolution | None) -> Sequence[Key]:
        """Return the keys of the trees as they were and as the builds have left them; keep what pip was *asked*.

        There are none where anything but leavings of builds has changed meanwhile.
        """
        now = self.keys.again().key
        if self.not_kept is None and (isinstance(now, Key | Unkeyable) or now.base != self.key.base):
            self.not_kept = "what else pip's answer rests on changed meanwhile"
        if self.not_kept is not None or isinstance(now, Key | Unkeyable):
            return ()
        trees = list(zip(self.key.trees, now.trees, strict=True))
        if not all(self._unchanged(*pair, self._nested(pair[0])) for pair in trees):
            self.not_kept = CHANGED
            return ()
        if asked is not None:
            surroundings = self.keys.surroundings()
            write(self.store, self.key.base.digest, asked, surroundings)
            if self.key.anywhere is not None:
                directory, prefix = self.keys.request.directory, self.environment.prefix
                shared = shared_resolution(asked, self.key.requested, directory, prefix)
                if shared is not None:
                    write(self.store, self.key.anywhere, shared, surroundings)
        if any(self.generated.values()):
            # To be written again with the build, which the request alone does not lead to.
            save_inputs(self.store, self.keys.place, self.key.full.inputs)
            return ()
        if not all(read_build_system(project.path).keyable for project in self.key.requested.projects):
            return ()
        # What a build in it has left may get into the next wheel of a project.
        return (self.key.full, now.full) if all(self._unchanged(*pair) for pair in trees) else (self.key.full,)

    def _unchanged(self, before: Tree, after: Tree, nested: Collection[str] = ()) -> bool:
        return unchanged_but_products(before, after, self.generated.get(before.project, ()), nested)

    def _nested(self, tree: Tree) -> list[str]:
        """Return the paths of the other projects that lie in the project of *tree*, relative to it."""
        found = (within(project.path, tree.project) for project in self.key.requested.projects)
        return list(filter(None, found))
