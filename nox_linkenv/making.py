"""Making the build of one project: once, while others wait for it, and known by what it was made from."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from nox_linkenv.build_environment import BuildEnvironment, BuildPip
from nox_linkenv.errors import EnvError
from nox_linkenv.projects.backend import Backend, BackendError, BuildSystem, read_build_system
from nox_linkenv.projects.key import look
from nox_linkenv.projects.record import Build, digest_of, keep_archive, metadata_digest, read_build, write
from nox_linkenv.projects.requested import LocalProject, Requested, index_arguments
from nox_linkenv.projects.variables import surroundings
from nox_linkenv.request import Request
from nox_linkenv.resolve.arguments import parse
from nox_linkenv.resolve.key import Unkeyable, request_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.provision import Provision

__all__ = ["Maker", "fresh", "settled"]

#: Of virtualenv, for build environments: pip shows nothing but what the build requires, and nobody activates them.
_PARAMETERS: Final = ("--no-setuptools", "--activators=")
#: What builds themselves leave in a tree, apart from what they take from it; see :func:`settled`.
_PRODUCTS: Final = re.compile(r"(build|\.pdm-build)(/.*)?|(.*/)?[^/]+\.egg-info(/.*)?|.*\.(so|pyd|dylib)")
#: From here on constraints do not reach into build environments.
_UNCONSTRAINED: Final = Version("26.2")
#: From here on every project is built by the hooks of PEP 517.
_HOOKS_ONLY: Final = Version("25.3")


def settled(before: Tree, after: Tree) -> bool:
    """Return whether nothing has changed but what builds leave behind.

    A build of the same sources reads and rewrites its own leavings, so the same wheel comes of the tree before and
    after it.  Anything else that changes meanwhile, be it a generated module, may be an edit: then nothing is kept,
    and the next build, which finds the generated module there, settles it.
    """
    return all(_PRODUCTS.fullmatch(path) for path in before.changes(after))


def fresh(provision: Provision, time: float) -> bool:
    """Return whether what was resolved at *time* (seconds since the epoch) still holds."""
    return provision.settings.offline or 0 <= provision.clock() - time < provision.settings.resolution_age


class Maker:
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
            if known is not None and fresh(self.provision, known.time):
                return known, False
            with tempfile.TemporaryDirectory(prefix="linkenv-") as scratch:
                build = self._make(os.path.realpath(scratch), known)
            after = look(self.store, self.project, self.request, self.provision.prefix)
            if self.system.keyable and settled(tree, after):
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
        environment = BuildEnvironment(
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

    def _provide(self, environment: BuildEnvironment, python: str, requirements: Sequence[str]) -> None:
        if requirements:
            request = self._requirements(requirements)
            environment.install(request, BuildPip(python, request))
        receipt = environment.receipt
        if receipt is None or not environment.all_linked():
            raise BackendError("its requirements cannot be linked")
