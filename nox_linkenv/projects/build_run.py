"""One run of a project's build, in an environment made for it: watched, and judged by what came of it."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.utils import parse_wheel_filename

from nox_linkenv.projects.backend import Backend, BackendError
from nox_linkenv.projects.build_cache import Build, digest_of, keep_archive, metadata_digest
from nox_linkenv.projects.looking import Watched
from nox_linkenv.projects.metadata import metadata_fields
from nox_linkenv.projects.notes import UnsettledError, made_in, reads_of
from nox_linkenv.projects.product import look_through
from nox_linkenv.projects.reads import NOTHING, Reads
from nox_linkenv.projects.requirements import index_arguments
from nox_linkenv.projects.session_environment import SessionEnvironment
from nox_linkenv.projects.watch import Watch, standard_library
from nox_linkenv.resolve.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nox_linkenv.projects.backend import BuildSystem
    from nox_linkenv.projects.build_target import BuildEnvironment, BuildTarget
    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.projects.requirements import LocalProject, Requested
    from nox_linkenv.projects.watch import Note
    from nox_linkenv.store import Manifest

__all__ = ["BuildRun", "Result", "Work"]

#: Build requirements of some interpreters that read what others read with their standard library, to the same effect.
_ALIKE: Final = frozenset({"tomli"})
_PYTHONS: Final = frozenset({"py2", "py3"})
#: What pip itself sets where it runs pip for the requirements of a build, which no constraint is to reach.
_UNCONSTRAINED: Final = {"_PIP_IN_BUILD_IGNORE_CONSTRAINTS": "1"}
#: In the environment of a build: what is no part of the environment itself but of what the build requires.  Where pip
#: builds, that lies in a directory which is gone afterwards, too.
_REQUIRED: Final = re.compile(
    r"/env/(?:bin/(?!(?:python|pip|activate|deactivate|pydoc)\b)[^/]+|lib(?:64)?/[^/]+/site-packages/(?!pip\b)[^/]+.*)"
)


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be built.

    Attributes:
        project: itself.
        requested: the request that it is a part of.
        system: how it is built.
        environ: the variables that its hooks and the installation of what it requires run with.
        constrained: whether constraints of pip's configuration reach the installation of what it requires.
        prereleases: whether ``--pre`` does.
    """

    project: LocalProject
    requested: Requested
    system: BuildSystem
    environ: Mapping[str, str]
    constrained: bool
    prereleases: bool

    @property
    def isolated(self) -> bool:
        """Whether it is built in an environment of its own."""
        return self.requested.isolated

    @property
    def around(self) -> list[object]:
        """What the build depends on besides the tree, the interpreter, what it requires, and what it reads."""
        place = self.project.sdist and f"unpacked {self.project.sdist}"  # each time somewhere else, as pip has it, too
        return [place or self.project.path, self.project.editable, self.requested.config]

    def requirements(self, requirements: Sequence[str], directory: str) -> Request:
        """Return the request for *requirements* of the build, made in *directory*."""
        arguments = [*index_arguments(self.requested, prereleases=self.prereleases), "--", *requirements]
        environ = self.environ if self.constrained else {**self.environ, **_UNCONSTRAINED}
        return Request(tuple(arguments), environ, directory)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a build.

    Attributes:
        build: itself.
        portable: for a new one that serves every interpreter, a digest of what it depends on.
        looked: what the build of a new one has read, in the project and besides it; ``None`` where that cannot be told
            from all of the project.
        lasting: whether the same would come of the same another time, as far as it was watched.
        made: real paths of what a new one was seen to make.
        began, ended: when a new one was made, in seconds since the epoch.
    """

    build: Build
    portable: str | None = None
    looked: Reads | None = None
    lasting: bool = True
    made: frozenset[str] = frozenset()
    began: float = 0.0
    ended: float = 0.0


class BuildRun:
    """Builds in *directory*, unless what would come of that is there already.

    Args:
        target: what is built for.
        work: what is built.
        tree: the project as it is.
        directory: absolute path of an empty directory, which is gone afterwards.
        elsewhere: returns the build that depends on what the digest given stands for, and on the tree, if there is one.
    """

    def __init__(
        self,
        target: BuildTarget,
        work: Work,
        tree: Tree,
        directory: str,
        elsewhere: Callable[[str], Build | None],
    ) -> None:
        self.target = target
        self.work = work
        self.tree = tree
        self.directory = directory
        self._elsewhere = elsewhere
        self.environment: BuildEnvironment = SessionEnvironment(target.prefix, target.surroundings().now)
        if work.isolated:
            interpreter = target.receipt.interpreter
            named = work.project.sdist or work.project.path
            self.environment = target.make_environment(f"{directory}/env", interpreter, named)
        self.watch = self._watch(self.environment)
        self._began = time.time()
        self._direct = False  # whether the backend requires something by its place

    def run(self, known: Build | None) -> Result:
        """Return what comes of the build.

        Args:
            known: a build of this tree for this interpreter, whose requirements have to be resolved again.

        Raises:
            BackendError: it cannot be made here.
        """
        environment, work = self.environment, self.work
        if not work.isolated:
            return self._build(self._backend(work.environ), work.environ)
        depends = self._provide(work.system.requires)
        if (found := self._from_elsewhere(depends)) is not None:
            return Result(found)
        environ = {
            **work.environ,
            "PATH": os.pathsep.join([f"{environment.prefix}/bin", *filter(None, [work.environ.get("PATH")])]),
            "PYTHONNOUSERSITE": "1",
        }
        backend = self._backend(environ)
        with self.watch:
            more = backend.requires(editable=work.project.editable)
        self._direct = any("@" in name for name in more)  # what lies there may change at any time
        if more:
            depends = self._provide(more)
            if (found := self._from_elsewhere(depends)) is not None:
                return Result(found)
        same = known is not None and not known.reads.remote and known.requirements == environment.plans
        if known is not None and same and not self._direct:
            return Result(replace(known, time=environment.oldest, reading=environment.reading))
        return self._build(backend, environ, depends)

    def _backend(self, environ: Mapping[str, str]) -> Backend:
        work, python = self.work, f"{self.environment.prefix}/bin/python"
        return Backend(work.project.path, work.system, python, environ, work.requested.config, work.project.sdist)

    def _build(self, backend: Backend, environ: Mapping[str, str], depends: str | None = None) -> Result:
        """Have *backend*, whose hooks run with the variables *environ*, build.

        Args:
            depends: what the build of a declarative project depends on besides its tree, where that is known.
        """
        os.mkdir(f"{self.directory}/wheel")
        with self.watch:
            path = backend.build(f"{self.directory}/wheel", editable=self.work.project.editable)
        self.environment.close(environ)
        return self._result(path, depends)

    def _watch(self, environment: BuildEnvironment) -> Watch:
        """Return what notes what the hooks in *environment* read."""
        import pyproject_hooks

        facts = self.target.receipt.facts
        os.mkdir(f"{self.directory}/notes")
        library = standard_library(environment.prefix, facts.version)
        own = [self.directory, os.path.dirname(pyproject_hooks.__file__)]
        others = os.path.realpath(self.target.store.layout.throwaway)
        if not self.work.isolated and not environment.prefix.startswith(f"{others}/"):
            own.append(others)  # where the recorder of pip's builds lies, which is loaded in this environment, too
        return Watch(
            [f"{environment.prefix}/{place}" for place in facts.site_packages],
            f"{self.directory}/notes",
            [*own, *library],
            every=self.work.isolated,  # pip may run in the environment of the session at the same time
            within=not self.work.isolated,
        )

    def _provide(self, requirements: Sequence[str]) -> str:
        """Install *requirements*.

        Returns:
            A digest of what the build of a declarative project depends on then, besides its tree: on every interpreter
            on which it is the same, the same comes of it.
        """
        if requirements:
            self.environment.install(self.work.requirements(requirements, self.target.request.directory))
        wheels = self.environment.wheels()
        if wheels is None:
            raise BackendError("its requirements cannot be linked")
        counted = sorted(digest for name, digest in wheels.items() if name not in _ALIKE)
        return digest_of(["for every interpreter", *self.work.around, counted])

    def _from_elsewhere(self, depends: str) -> Build | None:
        """Return the build for another interpreter that would come of the tree for this one, too."""
        found = self._elsewhere(depends) if self.tree.declarative else None
        environment = self.environment
        return found and replace(
            found, time=environment.oldest, requirements=environment.plans, reading=environment.reading
        )

    def _result(self, path: str, depends: str | None) -> Result:
        """Return what came of the build: the wheel at *path*, stored, and whether it can be used another time."""
        store, ended = self.target.store, time.time()
        manifest = store.add(Path(path))
        archive = keep_archive(store, path, manifest.digest)
        try:
            metadata = metadata_digest(metadata_fields(store, manifest))
        except (OSError, StopIteration) as error:
            raise BackendError("its wheel has no METADATA") from error
        notes = self.watch.notes()
        reads = None if notes is None else self._reads(notes)
        build = Build(
            time=self.environment.oldest,
            requirements=self.environment.plans,
            wheel=manifest.digest,
            archive=archive,
            metadata=metadata,
            reads=(reads or NOTHING).outside,
            reading=self.environment.reading,
        )
        portable = depends if self.tree.declarative and _is_portable(path) else None
        lasting = reads is not None and not reads.unseen and not self._direct
        made = made_in(notes) if notes is not None else frozenset[str]()
        looked = reads if reads is not None and reads != reads.outside else None
        return self._judged(Result(build, portable, looked, lasting, made, self._began, ended), manifest)

    def _reads(self, notes: Sequence[Note]) -> Reads | None:
        """Return what has been read, ``None`` where that is not known."""
        isolated = self.work.isolated
        watched = Watched(
            self.target.prefix, self.target.request.environ, self.tree, (self.directory,), isolated=isolated
        )
        try:
            return reads_of(notes, watched)
        except UnsettledError:
            return None

    def _judged(self, result: Result, manifest: Manifest) -> Result:
        """Return *result* as its wheel shows it: whether and how long it lasts, and is what pip would build."""
        sources = {entry.rpartition(" ")[2] for entry in self.tree.entries.values()}
        product = look_through(
            self.target.store,
            manifest,
            self.directory,
            began=result.began,
            ended=result.ended,
            sources=sources,
        )
        build = result.build
        if any(not path or (path.startswith("/env") and not _REQUIRED.fullmatch(path)) for path in product.paths):
            build = replace(build, refused="its wheel names the environment that it was built in")
        # Without isolation its wheel may name the environment of the session, which is read by absolute paths anyway.
        shown = Reads(date=product.date, facts=product.facts, location=not self.work.isolated)
        build = replace(build, reads=build.reads | shown)
        looked = result.looked and result.looked | shown
        return replace(result, build=build, looked=looked, lasting=result.lasting and not product.moment)


def _is_portable(wheel: str) -> bool:
    """Return whether the file name of the *wheel* says that it is for every interpreter (PEP 425)."""
    tags = parse_wheel_filename(os.path.basename(wheel))[3]
    return all(tag.abi == "none" and tag.platform == "any" and tag.interpreter in _PYTHONS for tag in tags)
