"""Requests with local projects in them: built once, in linked build environments, known by what they were built from.

There are two levels of reuse.  A request whose projects are unchanged is answered from memory like any other, because
the fingerprints of the trees are part of its key.  Where a tree has changed, the project is built again; if that
leaves its metadata as it was, what pip answered about all the other distributions still holds.

Whatever fails here is left to pip, which then fails, or succeeds, in its own words.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name
from packaging.version import Version

from nox_linkenv.asking import keep, resolve, wheels_of
from nox_linkenv.env.installed import find_distributions
from nox_linkenv.env.plan import CollisionError, Installable, Plan, make_plan
from nox_linkenv.errors import EnvError, OfflineError, WheelError
from nox_linkenv.projects.backend import Backend, BackendError, BuildSystem, read_build_system
from nox_linkenv.projects.fingerprint import Tree, UnknownTreeError
from nox_linkenv.projects.key import ProjectKey, look
from nox_linkenv.projects.record import (
    Answer,
    Build,
    Part,
    digest_of,
    keep_archive,
    metadata_digest,
    read_answer,
    read_build,
    write,
)
from nox_linkenv.projects.requested import LocalProject, Requested, index_arguments
from nox_linkenv.projects.sources import SourceBuilds
from nox_linkenv.projects.variables import surroundings
from nox_linkenv.provision import Provision, ago
from nox_linkenv.request import Outcome, Request
from nox_linkenv.resolve.arguments import Arguments, parse
from nox_linkenv.resolve.key import Key, Unkeyable, changed, request_key
from nox_linkenv.resolve.memory import Remembered, WheelSource, last_inputs, remember
from nox_linkenv.resolve.report import Origin, Resolved
from nox_linkenv.resolve.unmodelled import unmodelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.resolve.pip import Pip

__all__ = ["answer"]

#: Of virtualenv, for build environments: pip shows nothing but what the build requires, and nobody activates them.
_PARAMETERS: Final = ("--no-setuptools", "--activators=")
#: What builds themselves leave in a tree, apart from what they take from it; see ``_settled``.
_PRODUCTS: Final = re.compile(r"(build|\.pdm-build)(/.*)?|(.*/)?[^/]+\.egg-info(/.*)?|.*\.(so|pyd|dylib)")
#: From here on constraints do not reach into build environments.
_UNCONSTRAINED: Final = Version("26.2")
#: From here on every project is built by the hooks of PEP 517.
_HOOKS_ONLY: Final = Version("25.3")


def answer(
    provision: Provision, request: Request, arguments: Arguments, key: ProjectKey, pip: Pip
) -> Outcome | Unkeyable:
    """Build the projects of *request* and install all of it; or say why that is left to pip.

    Raises:
        OfflineError: offline mode is on, and something is not remembered.
        LinkenvError: a wheel was refused, or the store or the environment cannot be written.
        Whatever *pip* raises where pip fails.
    """
    receipt = provision.receipt
    assert receipt is not None
    reason = unmodelled(request.environ, provision.prefix, request.directory)
    if reason is not None:
        return Unkeyable(reason)
    work = _Work(provision, request, arguments, key, receipt, pip)
    try:
        return work.remembered() or work.asked()
    except (BackendError, UnknownTreeError, CollisionError, WheelError) as error:
        return Unkeyable(f"a local project is left to pip: {error}")


class _Work:
    """Answers one request."""

    def __init__(
        self, provision: Provision, request: Request, arguments: Arguments, key: ProjectKey, receipt: Receipt, pip: Pip
    ) -> None:
        self.provision = provision
        self.store = provision.store
        self.request = request
        self.arguments = arguments
        self.key = key
        self.receipt = receipt
        self.pip = pip
        self.built: list[str] = []

    def remembered(self) -> Outcome | None:
        """Build, and take all else from memory; ``None`` where pip must be asked."""
        known = read_answer(self.store, self.key.base.digest)
        if known is None or not _fresh(self.provision, known.time):
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
        age = ago(self.provision.clock() - known.time)
        did = f"built {', '.join(self.built)}" if self.built else "reused the build"
        return self._install(Answer(known.time, tuple(parts)), builds, f"{did} and reused the resolution of {age}")

    def asked(self) -> Outcome:
        """Ask pip, and build.

        Raises:
            BackendError: this is left to pip.
        """
        if self.provision.settings.offline:
            raise OfflineError(
                "Offline, and no resolution of this request is remembered",
                remedy="Run once without LINKENV_OFFLINE, with the network there.",
            )
        resolved = resolve(self.pip)
        if resolved is None:
            return Outcome((), "pip failed, and that was allowed")
        now = self.provision.clock()
        names = {canonicalize_name(item.name) for item in resolved}
        if "pip" in names:
            raise BackendError("pip itself is to be replaced")
        local = (Origin.DIRECTORY, Origin.EDITABLE)
        projects = {os.path.realpath(item.path or ""): item for item in resolved if item.origin in local}
        if projects.keys() != {project.path for project in self.key.requested.projects}:
            raise BackendError("it is not installed, or others are")
        others = [item for item in resolved if item.origin not in local]
        sources = SourceBuilds(self.store, self.request, self.arguments, self.provision.prefix, self.receipt)
        manifests = wheels_of(others, sources, self.store, self.arguments, self.pip)
        if manifests is None:
            raise BackendError("a wheel could not be fetched or built by itself")
        builds = self._builds()
        found = {}
        for project, build in zip(self.key.requested.projects, builds, strict=True):
            found[projects[project.path].name] = (project, build)
        parts = [
            self._local(item, *found[item.name])
            if item.name in found
            else Part(item.name, manifests[item.name].digest, item.requested, item.direct_url, item.requirement())
            for item in resolved
        ]
        return self._install(Answer(now, tuple(parts)), builds, "asked pip: " + self._why(), new=True)

    def _why(self) -> str:
        before = last_inputs(self.store, (self.provision.prefix, *self.request.arguments))
        if before is None:
            return "this request is new"
        return changed(before, self.key.full.inputs) or "the resolution is too old"

    def _local(self, item: Resolved, project: LocalProject, build: Build) -> Part:
        manifest = self.store.manifest(build.wheel)
        if manifest is None or canonicalize_name(manifest.name) != canonicalize_name(item.name):
            raise BackendError("its wheel has another name than its metadata said")
        if manifest.version != item.version:
            raise BackendError("its wheel has another version than its metadata said")
        requirement = self._requirement(item.name, build)
        return Part(item.name, build.wheel, item.requested, item.direct_url, requirement, project.path, build.metadata)

    def _requirement(self, name: str, build: Build) -> str:
        return f"{name} @ {Path(self.store.layout.base, build.archive).as_uri()}#sha256={build.wheel}"

    def _builds(self) -> list[Build]:
        return [
            self._build(project, tree)
            for project, tree in zip(self.key.requested.projects, self.key.trees, strict=True)
        ]

    def _build(self, project: LocalProject, tree: Tree) -> Build:
        maker = _Maker(self.provision, self.request, self.key.requested, project, self.receipt)
        build, built = maker.make(tree)
        if built:
            self.built.append(os.path.basename(project.path))
        return build

    def _install(self, answered: Answer, builds: Sequence[Build], message: str, *, new: bool = False) -> Outcome:
        parts = answered.parts
        names = [part.name for part in parts]
        if not all(found.removable for found in self.provision.replaced(names, self.receipt)):
            raise BackendError("a distribution without a RECORD is to be replaced")
        wheels = []
        for part in parts:
            manifest = self.store.manifest(part.wheel)
            if manifest is None:
                raise BackendError(f"the wheel of {part.name} is not stored any more")
            wheels.append(Installable(manifest, part.requested, part.direct_url))
        plan: Plan = make_plan(wheels, self.receipt.facts)
        name = keep(self.provision, wheels, plan, self.receipt)
        found = Remembered(
            time=min([answered.time, *(build.time for build in builds)]),
            pinned=False,
            plan=name,
            wheels=tuple(WheelSource(part.name, part.wheel, part.requirement) for part in parts),
        )
        self._remember(found, answered if new else None)
        return self.provision.carry_out(name, plan, self.receipt, found, self.arguments, self.pip, message=message)

    def _remember(self, found: Remembered, answered: Answer | None) -> None:
        """Remember what was answered, for the trees as they were and as the builds have left them.

        Nothing is, where anything but leavings of builds has changed meanwhile.
        """
        now = self.provision.key(self.request, self.arguments, self.receipt)
        if isinstance(now, Key | Unkeyable) or now.base != self.key.base:
            return
        if not all(_settled(before, after) for before, after in zip(self.key.trees, now.trees, strict=True)):
            return
        if answered is not None:
            write(self.store, self.key.base.digest, answered)
        if all(read_build_system(project.path).keyable for project in self.key.requested.projects):
            place = (self.provision.prefix, *self.request.arguments)
            for key in (self.key.full, now.full):
                remember(self.store, key.digest, found, place=place, inputs=key.inputs)


def _settled(before: Tree, after: Tree) -> bool:
    """Return whether nothing has changed but what builds leave behind.

    A build of the same sources reads and rewrites its own leavings, so the same wheel comes of the tree before and
    after it.  Anything else that changes meanwhile, be it a generated module, may be an edit: then nothing is kept,
    and the next build, which finds the generated module there, settles it.
    """
    return all(_PRODUCTS.fullmatch(path) for path in before.changes(after))


def _fresh(provision: Provision, time: float) -> bool:
    return provision.settings.offline or 0 <= provision.clock() - time < provision.settings.resolution_age


class _Maker:
    """Builds one project, unless it has been built before."""

    def __init__(
        self, provision: Provision, request: Request, requested: Requested, project: LocalProject, receipt: Receipt
    ) -> None:
        self.provision = provision
        self.store = provision.store
        self.request = request
        self.requested = requested
        self.project = project
        self.receipt = receipt
        self.system: BuildSystem = read_build_system(project.path)
        pip = Version(receipt.facts.pip)
        if pip < _HOOKS_ONLY and not os.path.isfile(os.path.join(project.path, "pyproject.toml")):
            raise BackendError("its setup.py is run without hooks")
        dropped = {"PYTHONPATH", "PYTHONHOME"} | ({"PIP_CONSTRAINT"} if pip >= _UNCONSTRAINED else set())
        self.environ = {name: value for name, value in request.environ.items() if name not in dropped}

    def make(self, tree: Tree) -> tuple[Build, bool]:
        """Return the build of *tree*, and whether it was made now.

        Raises:
            BackendError: it cannot be made here.
        """
        context = self._context()
        with self.store.locked_for(digest_of(["project", self.project.path])):
            key = digest_of([context, tree.digest])
            known = read_build(self.store, key)
            if known is not None and _fresh(self.provision, known.time):
                return known, False
            with tempfile.TemporaryDirectory(prefix="linkenv-") as scratch:
                build = self._make(os.path.realpath(scratch), known)
            after = look(self.store, self.project, self.request, self.provision.prefix)
            if self.system.keyable and _settled(tree, after):
                for digest in {tree.digest, after.digest}:
                    write(self.store, digest_of([context, digest]), build)
        return build, known is None or known.wheel != build.wheel

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
            prefix=self.provision.prefix,
            facts=self.receipt.facts,
            installed="",
        )
        if isinstance(key, Unkeyable):
            raise BackendError(f"its requirements cannot be keyed: {key.reason}")
        parts = [key.digest, self.project.path, self.project.editable, self.requested.config]
        return digest_of([*parts, surroundings(self.environ), self.receipt.interpreter])

    def _requirements(self, requirements: Sequence[str]) -> Request:
        arguments = [*index_arguments(self.requested.others), "--", *requirements]
        return Request(tuple(arguments), self.environ, self.request.directory)

    def _make(self, scratch: str, known: Build | None) -> Build:
        """Provision a build environment and build in it, unless it is that of the *known* build."""
        environment = _BuildEnvironment(
            f"{scratch}/env",
            self.provision.settings,
            session=f"build of {self.project.path}",
            clock=self.provision.clock,
        )
        try:
            if not environment.create(self.receipt.interpreter, _PARAMETERS):
                raise BackendError("no build environment can be linked for it")
        except EnvError as error:
            raise BackendError(str(error)) from error
        python = f"{environment.prefix}/bin/python"
        self._provide(environment, python, self.system.requires)
        binaries = os.path.dirname(python)
        environ = {
            **self.environ,
            "PATH": os.pathsep.join([binaries, *filter(None, [self.environ.get("PATH")])]),
            "PYTHONNOUSERSITE": "1",
        }
        backend = Backend(self.project.path, self.system, python, environ, self.requested.config)
        more = backend.requires(editable=self.project.editable)
        if more:
            self._provide(environment, python, more)
        plans = environment.receipt.plans if environment.receipt is not None else ()
        if known is not None and known.requirements == plans and all("@" not in name for name in more):
            return replace(known, time=environment.oldest)
        os.mkdir(f"{scratch}/wheel")
        path = backend.build(f"{scratch}/wheel", editable=self.project.editable)
        environment.close(environ)
        manifest = self.store.add(Path(path))
        archive = keep_archive(self.store, path, manifest.digest)
        try:
            metadata = metadata_digest(self.store, manifest)
        except (OSError, StopIteration) as error:
            raise BackendError("its wheel has no METADATA") from error
        return Build(environment.oldest, plans, manifest.digest, archive, metadata)

    def _provide(self, environment: _BuildEnvironment, python: str, requirements: Sequence[str]) -> None:
        if requirements:
            request = self._requirements(requirements)
            environment.install(request, _BuildPip(python, request))
        receipt = environment.receipt
        if receipt is None or not environment.all_linked():
            raise BackendError("its requirements cannot be linked")


class _BuildEnvironment(Provision):
    """A build environment, which knows how old the oldest resolution is that it was made of."""

    @functools.cached_property
    def oldest(self) -> float:
        """Seconds since the epoch; now, where nothing was resolved."""
        return self.clock()

    def install(self, request: Request, pip: Pip) -> Outcome:
        self.oldest = min(self.oldest, self.clock())
        return super().install(request, pip)

    def _replay(self, answer: Remembered, receipt: Receipt, arguments: Arguments, pip: Pip) -> Outcome | None:
        outcome = super()._replay(answer, receipt, arguments, pip)
        if outcome is not None:
            self.oldest = min(self.oldest, answer.time)
        return outcome

    def all_linked(self) -> bool:
        """Return whether its plans name all that is installed in it: nothing was left to pip."""
        if self.receipt is None:
            return False
        linked = {"pip"}
        for name in self.receipt.plans:
            text = self.store.read(name)
            if text is None:
                return False
            linked.update(str(canonicalize_name(entry[0])) for entry in Plan.loads(text).distributions)
        return all(found.name in linked for found in find_distributions(self.prefix, self.receipt.facts))


class _BuildPip:
    """Runs the pip of a build environment."""

    def __init__(self, python: str, request: Request) -> None:
        self.python = python
        self.request = request

    def ask(self, arguments: Sequence[str]) -> bool:
        if not self._run(["install", *arguments, *self.request.arguments]):
            raise BackendError("its build requirements cannot be installed")
        return True

    def fetch(self, arguments: Sequence[str]) -> bool:
        return self._run(arguments)

    def install(self, arguments: Sequence[str]) -> bool:
        raise BackendError("its build requirements cannot be linked")

    def _run(self, arguments: Sequence[str]) -> bool:
        environ: Mapping[str, str] = self.request.environ
        done = subprocess.run(
            [self.python, "-m", "pip", *arguments],
            cwd=self.request.directory,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done.returncode == 0
