"""Making the build of one project: once, while others wait for it, and known by what it was made from."""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from packaging.utils import parse_wheel_filename
from packaging.version import Version

from nox_linkenv.env.temporary import scratch
from nox_linkenv.projects.backend import Backend, BackendError, BuildSystem, read_build_system
from nox_linkenv.projects.build_cache import Build, digest_of, keep_archive, load_build, metadata_digest, write
from nox_linkenv.projects.build_inputs import build_inputs
from nox_linkenv.projects.key import look
from nox_linkenv.projects.requirements import LocalProject, Requested, index_arguments
from nox_linkenv.resolve.key import Unkeyable, request_key
from nox_linkenv.resolve.pip_arguments import parse
from nox_linkenv.resolve.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.resolve.pip_config import PipConfig
    from nox_linkenv.store import Store

__all__ = [
    "BuildEnvironment",
    "BuildTarget",
    "Made",
    "MakeBuildEnvironment",
    "ProjectBuilder",
    "unchanged_but_products",
]

#: What builds themselves leave in a tree, apart from what they take from it; see :func:`unchanged_but_products`.
_PRODUCTS: Final = re.compile(r"(build|\.pdm-build)(/.*)?|(.*/)?[^/]+\.egg-info(/.*)?|.*\.(so|pyd|dylib)")
#: Build requirements of some interpreters that read what others read with their standard library, to the same effect.
_ALIKE: Final = frozenset({"tomli"})
_PYTHONS: Final = frozenset({"py2", "py3"})
#: From here on constraints do not reach into build environments.
_UNCONSTRAINED: Final = Version("26.2")
#: From here on every project is built by the hooks of PEP 517.
_HOOKS_ONLY: Final = Version("25.3")


def unchanged_but_products(before: Tree, after: Tree) -> bool:
    """Return whether nothing has changed but what builds leave behind.

    A build of the same sources reads and rewrites its own leavings, so the same wheel comes of the tree before and
    after it.  Anything else that changes meanwhile, be it a generated module, may be an edit: then nothing is kept,
    and the next build, which finds the generated module there, settles it.
    """
    return all(_PRODUCTS.fullmatch(path) for path in before.changes(after))


class BuildEnvironment(Protocol):
    """The environment that a project is built in."""

    @property
    def prefix(self) -> str:
        """Its absolute path."""
        ...

    @property
    def plans(self) -> tuple[str, ...]:
        """The names of the stored plans of what is installed in it."""
        ...

    @property
    def oldest(self) -> float:
        """When the oldest resolution was made that it consists of, in seconds since the epoch."""
        ...

    def install(self, request: Request) -> None:
        """Install what *request* asks for.

        Raises:
            BackendError: it cannot be installed, or not linked.
        """
        ...

    def wheels(self) -> dict[str, str] | None:
        """Return the digests of the wheels in it by name; ``None`` where it holds anything else."""
        ...

    def close(self, environ: Mapping[str, str]) -> None:
        """Look at it after the build, which ran with the variables *environ*."""
        ...


#: Makes the bare environment at a path, of an interpreter, for the project at another path; raises BackendError.
MakeBuildEnvironment: TypeAlias = "Callable[[str, str, str], BuildEnvironment]"


@dataclass(frozen=True, slots=True)
class BuildTarget:
    """What projects are built for.

    Attributes:
        store: where builds are kept.
        prefix: absolute path of the environment that they are to be installed in.
        receipt: of that environment.
        request: that asks for them.
        config: pip's configuration.
        is_fresh: whether what was resolved at a time (seconds since the epoch) still holds.
        pinned_tree: returns a tree in whose stead a build is kept that was made while the project was no more like it.
        make_environment: makes the environment that a project is built in.
    """

    store: Store
    prefix: str
    receipt: Receipt
    request: Request
    config: PipConfig
    is_fresh: Callable[[float], bool]
    pinned_tree: Callable[[Tree], Tree | None]
    make_environment: MakeBuildEnvironment


@dataclass(frozen=True, slots=True)
class Made:
    """What :meth:`ProjectBuilder.build` returns.

    Args:
        build: of the project.
        new: whether a wheel came of it that was not known.
        exact: whether it is the build of the tree that was asked for; if not, the tree changed meanwhile.
    """

    build: Build
    new: bool
    exact: bool


class ProjectBuilder:
    """Builds one project, unless it has been built before."""

    def __init__(self, target: BuildTarget, requested: Requested, project: LocalProject) -> None:
        self.target = target
        self.store = target.store
        self.requested = requested
        self.project = project
        self.system: BuildSystem = read_build_system(project.path)
        pip = Version(target.receipt.facts.pip)
        if pip < _HOOKS_ONLY and not os.path.isfile(os.path.join(project.path, "pyproject.toml")):
            raise BackendError("its setup.py is run without hooks")
        dropped = {"PYTHONPATH", "PYTHONHOME"} | ({"PIP_CONSTRAINT"} if pip >= _UNCONSTRAINED else set())
        self.environ = {name: value for name, value in target.request.environ.items() if name not in dropped}

    @functools.cached_property
    def around(self) -> list[object]:
        """What the build depends on besides the tree, the interpreter and what it requires."""
        return [self.project.path, self.project.editable, self.requested.config, build_inputs(self.environ)]

    def build(self, tree: Tree) -> Made:
        """Return the build of the project, whose *tree* is known; one process builds while others wait for it.

        Raises:
            BackendError: it cannot be made here.
            UnknownTreeError: it cannot be told any more what a build sees.
        """
        context = self._context()
        with self.store.locked_for(digest_of(["project", self.project.path])):
            known = load_build(self.store, digest_of([context, tree.digest]))
            if known is not None and self.target.is_fresh(known.time):
                return Made(known, new=False, exact=True)
            now = self._look()  # another process may have built it meanwhile, and left its leavings
            exact = unchanged_but_products(tree, now)
            shown = now if exact else self.target.pinned_tree(tree) or now
            known = known or load_build(self.store, digest_of([context, shown.digest]))
            if known is not None and self.target.is_fresh(known.time):
                return Made(known, new=False, exact=exact)
            with scratch(self.store.layout, "env") as directory:
                build, portable = self._make(directory, known, now)
            after = self._look()
            quiet = unchanged_but_products(now, after)
            trees = [now, after] if quiet else []
            if exact and quiet:
                trees.append(tree)
            elif alone := self.target.pinned_tree(tree):
                trees.append(alone)
            if self.system.keyable:
                for digest in {tree.digest for tree in trees}:
                    for place in filter(None, (context, portable)):
                        write(self.store, digest_of([place, digest]), build)
        return Made(build, new=known is None or known.wheel != build.wheel, exact=exact and quiet)

    def _look(self) -> Tree:
        return look(self.store, self.project, self.target.request, self.target.prefix)

    def _context(self) -> str:
        """Return a digest of all that the build depends on besides the tree, as far as it is known beforehand."""
        request = self._requirements(self.system.requires)
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
        )
        if isinstance(key, Unkeyable):
            raise BackendError(f"its requirements cannot be keyed: {key.reason}")
        return digest_of([key.digest, *self.around, self.target.receipt.interpreter])

    def _requirements(self, requirements: Sequence[str]) -> Request:
        arguments = [*index_arguments(self.requested.others), "--", *requirements]
        return Request(tuple(arguments), self.environ, self.target.request.directory)

    def _make(self, directory: str, known: Build | None, tree: Tree) -> tuple[Build, str | None]:
        """Provision a build environment and build in it, unless what would come of that is there already.

        Args:
            known: a build of this tree for this interpreter, whose requirements have to be resolved again.

        Returns:
            The build, and for a new one that serves every interpreter what it depends on, see :meth:`_provide`.
        """
        interpreter = self.target.receipt.interpreter
        environment = self.target.make_environment(f"{directory}/env", interpreter, self.project.path)
        depends = self._provide(environment, self.system.requires)
        if (found := self._elsewhere(environment, depends, tree)) is not None:
            return found, None
        environ = {
            **self.environ,
            "PATH": os.pathsep.join([f"{environment.prefix}/bin", *filter(None, [self.environ.get("PATH")])]),
            "PYTHONNOUSERSITE": "1",
        }
        backend = Backend(self.project.path, self.system, _python(environment), environ, self.requested.config)
        more = backend.requires(editable=self.project.editable)
        if more:
            depends = self._provide(environment, more)
            if (found := self._elsewhere(environment, depends, tree)) is not None:
                return found, None
        if known is not None and known.requirements == environment.plans and all("@" not in name for name in more):
            return replace(known, time=environment.oldest), None
        os.mkdir(f"{directory}/wheel")
        path = backend.build(f"{directory}/wheel", editable=self.project.editable)
        environment.close(environ)
        manifest = self.store.add(Path(path))
        archive = keep_archive(self.store, path, manifest.digest)
        try:
            metadata = metadata_digest(self.store, manifest)
        except (OSError, StopIteration) as error:
            raise BackendError("its wheel has no METADATA") from error
        build = Build(environment.oldest, environment.plans, manifest.digest, archive, metadata)
        return build, depends if tree.declarative and _is_portable(path) else None

    def _provide(self, environment: BuildEnvironment, requirements: Sequence[str]) -> str:
        """Install *requirements*.

        Returns:
            A digest of what the build of a declarative project depends on then, besides its tree: on every interpreter
            on which it is the same, the same comes of it.
        """
        if requirements:
            environment.install(self._requirements(requirements))
        wheels = environment.wheels()
        if wheels is None:
            raise BackendError("its requirements cannot be linked")
        counted = sorted(digest for name, digest in wheels.items() if name not in _ALIKE)
        return digest_of(["for every interpreter", *self.around, counted])

    def _elsewhere(self, environment: BuildEnvironment, depends: str, tree: Tree) -> Build | None:
        """Return the build for another interpreter that would come of *tree* for this one, too."""
        found = load_build(self.store, digest_of([depends, tree.digest])) if tree.declarative else None
        return found and replace(found, time=environment.oldest, requirements=environment.plans)


def _python(environment: BuildEnvironment) -> str:
    return f"{environment.prefix}/bin/python"


def _is_portable(wheel: str) -> bool:
    """Return whether the file name of the *wheel* says that it is for every interpreter (PEP 425)."""
    tags = parse_wheel_filename(os.path.basename(wheel))[3]
    return all(tag.abi == "none" and tag.platform == "any" and tag.interpreter in _PYTHONS for tag in tags)
