"""Sdists on this disk among the requirements, such as the package that a host has just built: built as projects are.

Where pip builds one it runs programs, of which its pages tell nothing: its answer could not be renewed.  So each is
unpacked and built here, as a directory would be, and its wheel stands in for it when pip is asked.  What is remembered
of the answer is what it would be without that.  Whatever fails here is left to pip.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nox_linkenv.errors import ResolutionError, WheelError
from nox_linkenv.progress import ASKING, doing
from nox_linkenv.projects.backend import BackendError
from nox_linkenv.projects.build_target import BuildTarget
from nox_linkenv.projects.builder import ProjectBuilder
from nox_linkenv.projects.fingerprint import UnknownTreeError
from nox_linkenv.projects.key import look
from nox_linkenv.projects.named import LocalProject
from nox_linkenv.projects.reads import Reads
from nox_linkenv.projects.requirements import UnmodelledError, find_projects
from nox_linkenv.projects.substitutes import with_substitutes
from nox_linkenv.projects.unpacking import unpacked
from nox_linkenv.resolve.archives import direct_url_of
from nox_linkenv.resolve.at_hand import wheels_at_hand
from nox_linkenv.resolve.cache import Reading
from nox_linkenv.resolve.dry_run import DryRun, PipAnswer
from nox_linkenv.resolve.pip_arguments import Arguments
from nox_linkenv.resolve.report import Origin, Resolved, parse_report
from nox_linkenv.resolve.request import Course, Source
from nox_linkenv.resolve.specifiers import SDISTS, without_extras
from nox_linkenv.resolve.unsupported import unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nox_linkenv.projects.build_cache import Build
    from nox_linkenv.projects.build_target import MakeBuildEnvironment
    from nox_linkenv.projects.requirements import Requested
    from nox_linkenv.provision.environment import Environment
    from nox_linkenv.provision.keys import RequestKeys
    from nox_linkenv.resolve.key import Key
    from nox_linkenv.resolve.pip import TimedPip
    from nox_linkenv.store import Manifest

__all__ = ["BuiltSdists", "build_sdists"]


@dataclass(frozen=True, slots=True)
class _Sdist:
    """One sdist, built.

    Args:
        project: what was unpacked from it, which is gone.
        archive: absolute path of it.
        build: of it.
        wheel: absolute path of the built wheel.
        manifest: of that.
        new: whether it was built just now.
    """

    project: LocalProject
    archive: str
    build: Build
    wheel: str
    manifest: Manifest
    new: bool


def build_sdists(
    environment: Environment, keys: RequestKeys, key: Key, make_environment: MakeBuildEnvironment
) -> BuiltSdists | None:
    """Build the sdists on this disk that the request of *keys* names; ``None`` where pip has to, or there are none.

    Args:
        key: of the request.
        make_environment: makes the environments that projects are built in.

    Raises:
        LinkenvError: the store cannot be written.
    """
    request, arguments = keys.request, keys.arguments
    if arguments is None or keys.receipt is None or keys.mute is not None or not environment.settings.reuse_builds:
        return None
    paths = dict(_archives(arguments, request.directory))
    if not paths or "PIP_PRE" in request.environ or unsupported(request.environ, keys.config) is not None:
        return None
    target = BuildTarget(
        store=environment.store,
        prefix=environment.prefix,
        receipt=keys.receipt,
        request=request,
        config=keys.config,
        surroundings=keys.surroundings,
        holds_since=keys.holds_since,
        pinned_tree=lambda _: None,
        make_environment=make_environment,
    )
    try:
        with contextlib.ExitStack() as stack:
            projects = {}
            for named, path in paths.items():
                place = stack.enter_context(unpacked(path, request.environ))
                extras = named[len(without_extras(named)) :].strip()
                projects[named] = LocalProject(place, False, named, extras, sdist=os.path.basename(path))
            requested = find_projects(
                arguments,
                environ=request.environ,
                directory=request.directory,
                config=keys.config,
                unpacked=projects,
            )
            if requested is None or len(requested.projects) > len(projects) or _decides(requested):
                return None
            built = [_built(target, requested, item, paths[item.named]) for item in requested.projects]
    except (BackendError, UnknownTreeError, UnmodelledError, ResolutionError, WheelError):
        return None
    sdists = BuiltSdists(environment, keys, key, requested, built)
    # pip leaves out a wheel of the version that is there, and an sdist never.
    return sdists if key.replaces or not environment.replaced([item.manifest.name for item in built]) else None


def _archives(arguments: Arguments, directory: str) -> Iterator[tuple[str, str]]:
    """Yield the requirements among *arguments* that name sdists in files, and the absolute path of each."""
    for requirement in arguments.requirements:
        name = without_extras(requirement)
        path = os.path.normpath(os.path.join(directory, name))
        plain = name.lower().endswith(SDISTS) and ":" not in name and "@" not in name and ";" not in name
        if plain and os.path.isfile(path):
            yield requirement, path


def _decides(requested: Requested) -> bool:
    """Return whether anything in the request decides how sdists are built, or whether they are, that only pip knows."""
    return requested.verbatim or bool(requested.config) or bool(requested.listed.remote)


def _built(target: BuildTarget, requested: Requested, project: LocalProject, archive: str) -> _Sdist:
    """Build what was unpacked from the sdist at the path *archive*."""
    tree = look(target.store, project, target.prefix)
    made = ProjectBuilder(target, requested, project).build(tree)
    manifest = target.store.manifest(made.build.wheel)
    if made.not_kept is not None or manifest is None:
        raise BackendError("its build is not one to be remembered")
    wheel = os.path.join(target.store.layout.base, made.build.archive)
    return _Sdist(project, archive, made.build, wheel, manifest, made.new)


class BuiltSdists:
    """The sdists of one request, and asking pip with their wheels in their place.

    Args:
        environment: that they are to be installed in.
        keys: of the request.
        key: of it.
        requested: the request, taken apart.
        built: its sdists.
    """

    def __init__(
        self, environment: Environment, keys: RequestKeys, key: Key, requested: Requested, built: Sequence[_Sdist]
    ) -> None:
        self._environment = environment
        self._keys = keys
        self._key = key
        self._requested = requested
        self._built = built
        self._wheels = {item.project: item.wheel for item in built}

    @property
    def reads(self) -> Reads:
        """What their builds have read besides them."""
        return Reads.union(item.build.reads for item in self._built)

    @property
    def oldest(self) -> float:
        """When the oldest resolution of what a build requires was made, in seconds since the epoch."""
        return min(item.build.time for item in self._built)

    def of(self, item: Resolved) -> tuple[Manifest, str] | None:
        """Return the wheel that was built of *item*, and the requirement to get it again; ``None`` for what is none."""
        if item.origin is not Origin.SDIST:
            return None
        found = next((built for built in self._built if built.archive == item.path), None)
        if found is None:
            return None
        return found.manifest, f"{item.name} @ {Path(found.wheel).as_uri()}#sha256={found.build.wheel}"

    def at_hand(self) -> tuple[Course, PipAnswer] | None:
        """Return what pip would say where nothing else decides; ``None`` where it has to be asked."""
        keys, receipt = self._keys, self._keys.receipt
        assert keys.arguments is not None
        assert receipt is not None
        if any(item.project.extras for item in self._built):
            return None
        paths = [
            self._wheels.get(item, "") if isinstance(item, LocalProject) else item for item in self._requested.order
        ]
        named = replace(self._key, archives={os.path.basename(path): path for path in paths})
        arguments = Arguments(paths, keys.arguments.options)
        found = wheels_at_hand(keys.request, arguments, named, keys.config, receipt.facts)
        if found is None:
            return None
        new = [item.project.sdist for item in self._built if item.new]
        did = f"built {', '.join(new)}" if new else "reused the build"
        return Course(Source.AT_HAND, f"{did}, as nothing else is to be installed"), self._answer(found, Reading())

    def ask(self, pip: TimedPip) -> PipAnswer | None:
        """Return what *pip* says it would install; ``None`` where it says nothing to wheels.

        Raises:
            ResolutionError: its report cannot be read.
        """
        arguments = with_substitutes(self._requested, self._wheels)
        if arguments is None:
            return None

        def run(options: Sequence[str], *, record: str) -> bool:
            with doing(ASKING):
                return pip.fetch(["install", *options, *arguments], record=record)

        dry_run = DryRun(self._environment.store, self._keys.request.environ, self._keys.config)
        answered = dry_run.run(run, parse_report)
        if answered is None:
            return None
        mine = self._answer(answered.resolved, answered.reading)
        return replace(mine, notes=answered.notes, files=answered.files)

    def _answer(self, resolved: Sequence[Resolved], reading: Reading) -> PipAnswer:
        """Return *resolved* as an answer, with the sdists in the place of their wheels."""
        reading = sum((item.build.reading for item in self._built), reading)
        return PipAnswer([self._as_sdist(item) for item in resolved], reading)

    def _as_sdist(self, item: Resolved) -> Resolved:
        found = next((built for built in self._built if built.wheel == item.path), None)
        if found is None:
            return item
        direct_url = direct_url_of(found.archive, item.direct_url or "{}")
        if direct_url is None:
            raise ResolutionError(f"pip does not say where {item.name} comes from", remedy="Upgrade nox-linkenv.")
        info = json.loads(direct_url)
        archive = info["archive_info"]
        sha256 = archive["hashes"]["sha256"] if "hashes" in archive else archive["hash"].removeprefix("sha256=")
        return replace(item, url=info["url"], origin=Origin.SDIST, sha256=sha256, direct_url=direct_url)
