"""Requests with local projects in them: built once, in linked build environments, known by what they were built from.

There are two levels of reuse.  A request whose projects are unchanged is answered from memory like any other, because
the fingerprints of the trees are part of its key.  Where a tree has changed, the project is built again; if that
leaves its metadata as it was, what pip answered about all the other distributions still holds.

Whatever fails here is left to pip, which then fails, or succeeds, in its own words.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_linkenv.env.plan import CollisionError, Installable, Plan, make_plan
from nox_linkenv.errors import WheelError
from nox_linkenv.projects.backend import BackendError, read_build_system
from nox_linkenv.projects.build_cache import Build, ProjectResolution, ResolvedPart, load_project_resolution, write
from nox_linkenv.projects.builder import ProjectBuilder, fresh, unchanged_but_products
from nox_linkenv.projects.fingerprint import Tree, UnknownTreeError
from nox_linkenv.projects.sdist_cache import SourceBuilds
from nox_linkenv.projects.substitutes import read_report_for, with_substitutes
from nox_linkenv.provision.cold import ask, keep, reported, resolve, wheels_of
from nox_linkenv.resolve.cache import CachedResolution, WheelSource, ago, last_inputs, save_resolution
from nox_linkenv.resolve.inputs import changed
from nox_linkenv.resolve.key import Key, Unkeyable
from nox_linkenv.resolve.report import Origin, Resolved
from nox_linkenv.resolve.request import Outcome, Request
from nox_linkenv.resolve.unsupported import unmodelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.projects.key import ProjectKey
    from nox_linkenv.projects.requirements import LocalProject
    from nox_linkenv.provision.installer import Provision
    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.resolve.pip_arguments import Arguments

__all__ = ["answer"]


def answer(
    provision: Provision, request: Request, arguments: Arguments, key: ProjectKey, pip: Pip
) -> Outcome | Unkeyable:
    """Build the projects of *request* and install all of it; or say why that is left to pip.

    Raises:
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
        outcome = work.remembered()
        if outcome is None and provision.settings.offline:
            return Unkeyable("with its local projects as they are now")
        return outcome or work.asked()
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
        self.exact = True

    def remembered(self) -> Outcome | None:
        """Build, and take all else from memory; ``None`` where pip must be asked."""
        known = load_project_resolution(self.store, self.key.base.digest)
        if known is None or not fresh(self.provision, known.time):
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
        return self._install(
            ProjectResolution(known.time, tuple(parts)), builds, f"{did} and reused the resolution of {age}"
        )

    def asked(self) -> Outcome:
        """Ask pip, and build.

        Raises:
            BackendError: this is left to pip.
        """
        builds = self._builds()
        resolved = self._resolved(builds) or resolve(self.pip, self.store.layout)
        if resolved is None:
            return Outcome((), "pip failed, and that was allowed")
        now = self.provision.clock()
        names = {canonicalize_name(item.name) for item in resolved}
        if "pip" in names:
            raise BackendError("pip itself is to be replaced")
        local = (Origin.DIRECTORY, Origin.EDITABLE)
        projects = {os.path.realpath(item.path or ""): item for item in resolved if item.origin in local}
        if projects.keys() != {project.path for project in self.key.requested.projects}:
            why = Unkeyable("a local project is left to pip: it is not installed, or others are")
            return ask(self.provision, self.request, self.arguments, why, self.pip, resolved=resolved)
        others = [item for item in resolved if item.origin not in local]
        if self.key.requested.config and any(item.origin is not Origin.WHEEL for item in others):
            raise BackendError("settings for build backends are given for more than it")
        sources = SourceBuilds(self.store, self.request, self.arguments, self.provision.prefix, self.receipt)
        manifests = wheels_of(others, sources, self.store, self.arguments, self.pip)
        if manifests is None:
            raise BackendError("a wheel could not be fetched or built by itself")
        found = {}
        for project, build in zip(self.key.requested.projects, builds, strict=True):
            found[projects[project.path].name] = (project, build)
        parts = [
            self._local(item, *found[item.name])
            if item.name in found
            else ResolvedPart(
                item.name, manifests[item.name].digest, item.requested, item.direct_url, item.requirement()
            )
            for item in resolved
        ]
        return self._install(ProjectResolution(now, tuple(parts)), builds, "asked pip: " + self._why(), new=True)

    def _resolved(self, builds: Sequence[Build]) -> list[Resolved] | None:
        """Return what pip answers if the built wheels stand in for the projects.

        ``None`` where it answers nothing, or where it would look at what is installed: a wheel of the version that is
        there is left out, a directory never is.
        """
        manifests = [self.store.manifest(build.wheel) for build in builds]
        if self.provision.replaced([manifest.name for manifest in manifests if manifest is not None], self.receipt):
            return None
        paths = [os.path.join(self.store.layout.base, build.archive) for build in builds]
        wheels = dict(zip(self.key.requested.projects, paths, strict=True))
        arguments = with_substitutes(self.key.requested, wheels)
        if arguments is None:
            return None
        text = reported(lambda options: self.pip.fetch(["install", *options, *arguments]), self.store.layout)
        return None if text is None else read_report_for(text, wheels, self.request.directory)

    def _why(self) -> str:
        before = last_inputs(self.store, (self.provision.prefix, *self.request.arguments))
        if before is None:
            return "this request is new"
        return changed(before, self.key.full.inputs) or "the resolution is too old"

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
        maker = ProjectBuilder(self.provision, self.request, self.key.requested, project, self.receipt)
        made = maker.make(tree)
        if made.new:
            self.built.append(os.path.basename(project.path))
        self.exact &= made.exact
        return made.build

    def _install(
        self, answered: ProjectResolution, builds: Sequence[Build], message: str, *, new: bool = False
    ) -> Outcome:
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
        found = CachedResolution(
            time=min([answered.time, *(build.time for build in builds)]),
            pinned=False,
            plan=name,
            wheels=tuple(WheelSource(part.name, part.wheel, part.requirement) for part in parts),
        )
        self._remember(found, answered if new else None)
        return self.provision.carry_out(name, plan, self.receipt, found, self.arguments, self.pip, message=message)

    def _remember(self, found: CachedResolution, answered: ProjectResolution | None) -> None:
        """Remember what was answered, for the trees as they were and as the builds have left them.

        Nothing is, where anything but leavings of builds has changed meanwhile.
        """
        now = self.provision.key(self.request, self.arguments, self.receipt)
        if not self.exact or isinstance(now, Key | Unkeyable) or now.base != self.key.base:
            return
        if not all(
            unchanged_but_products(before, after) for before, after in zip(self.key.trees, now.trees, strict=True)
        ):
            return
        if answered is not None:
            write(self.store, self.key.base.digest, answered)
        if all(read_build_system(project.path).keyable for project in self.key.requested.projects):
            place = (self.provision.prefix, *self.request.arguments)
            for key in (self.key.full, now.full):
                save_resolution(self.store, key.digest, found, place=place, inputs=key.inputs)
