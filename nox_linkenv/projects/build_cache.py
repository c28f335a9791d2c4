"""What has been built, and what was answered to requests with local projects in them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.errors import StoreUnwritableError
from nox_linkenv.projects.generated import Generated, is_inside
from nox_linkenv.projects.reads import NOTHING, Reads
from nox_linkenv.projects.widening import load_names, load_wider, widen
from nox_linkenv.resolve.cache import UNKNOWN, Reading
from nox_linkenv.store.files import publish, staging_name
from nox_linkenv.store.layout import ANSWERS, ARCHIVES, BUILDS, PLANS, unit_name
from nox_linkenv.store.notes import measured, optional, rows, seconds, string, strings
from nox_linkenv.store.objects import FILE_MODE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nox_linkenv.projects.surroundings import Surroundings
    from nox_linkenv.store import Store

__all__ = [
    "Build",
    "ProjectResolution",
    "ResolvedPart",
    "digest_of",
    "keep_archive",
    "load_build",
    "load_project_resolution",
    "metadata_digest",
    "write",
]

_ARCHIVE: Final = re.compile(r"projects/wheels/[0-9a-f]{64}/[^/]+\.whl")


@dataclass(frozen=True, slots=True)
class Build:
    """A wheel that was built, or why builds of this kind are left to pip.

    Attributes:
        time: when the build's requirements were resolved, in seconds since the epoch.
        requirements: names of the stored plans of its build environment.
        wheel: hexadecimal SHA-256 of the wheel.
        archive: path of the kept wheel relative to the format directory.
        metadata: digest of what in its METADATA decides about other distributions.
        reads: what the build has read besides the project.
        refused: why the wheel must not be used, in one clause; empty where it may.
        reading: what pip read to resolve its requirements.
        generated: what it writes into the project.
        origin: real path of the checkout that a build for other ones was made of, empty where it is for this one.
        above: names which were in no directory above that checkout, and must not be there.
    """

    time: float
    requirements: tuple[str, ...]
    wheel: str
    archive: str
    metadata: str
    reads: Reads = NOTHING
    refused: str = ""
    reading: Reading = UNKNOWN
    generated: Generated = ()
    origin: str = ""
    above: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResolvedPart:
    """One distribution of an answer.

    Args:
        name: of the distribution.
        wheel: hexadecimal SHA-256 of its wheel.
        requested: whether the user named it.
        direct_url: content of ``direct_url.json``, or ``None``.
        requirement: what pip was asked for to get it.
        project: real path of the local project, ``None`` for what came from elsewhere.
        metadata: digest of a local project's metadata.
    """

    name: str
    wheel: str
    requested: bool
    direct_url: str | None
    requirement: str
    project: str | None = None
    metadata: str | None = None


@dataclass(frozen=True, slots=True)
class ProjectResolution:
    """What pip answered to a request with local projects in it.

    Attributes:
        time: when, or when it would have answered the same again, in seconds since the epoch.
        parts: all that it would install, in its order.
        reads: what was read by pip's builds of what is no local project.
        reading: what pip read for it.
        above: of one for other checkouts, names which must be in no directory above.
        pip_seconds: that pip ran for it; ``None`` where that was not measured.
    """

    time: float
    parts: tuple[ResolvedPart, ...]
    reads: Reads = NOTHING
    reading: Reading = UNKNOWN
    above: tuple[str, ...] = ()
    pip_seconds: float | None = None


def load_build(store: Store, key: str, surroundings: Surroundings) -> Build | None:
    """Return the build with *key* in these *surroundings*; one whose wheel is not stored any more is none."""
    build = load_wider(store, BUILDS, key, surroundings, parse_build)
    if build is None:
        return None
    whole = os.path.isfile(f"{store.layout.base}/{build.archive}") and store.manifest(build.wheel) is not None
    return build if whole or build.refused else None


def load_project_resolution(store: Store, key: str, surroundings: Surroundings) -> ProjectResolution | None:
    """Return the resolution with *key* in these *surroundings*."""
    return load_wider(store, ANSWERS, key, surroundings, parse_project_resolution)


def parse_build(data: dict[str, Any]) -> Build:
    """Return the build that :func:`write` wrote as JSON; it raises what is wrong with *data*."""
    texts = {name: string(data[name]) for name in ("wheel", "archive", "metadata", "refused")}
    if not texts["refused"] and _ARCHIVE.fullmatch(texts["archive"]) is None:
        raise ValueError("not the path of an archive")
    generated = tuple((path, text) for path, text in rows(data.get("generated", []), str, str))
    if not all(is_inside(path) for path, _ in generated):
        raise ValueError("not the path of a file in a project")
    return Build(
        time=seconds(data["time"]),
        requirements=tuple(unit_name(PLANS, name) for name in strings(data["requirements"])),
        reads=Reads.from_json(data["reads"]),
        reading=Reading.of(data["reading"]),
        generated=generated,
        origin=string(data.get("origin", "")),
        above=tuple(strings(data.get("above", []))),
        **texts,
    )


def parse_project_resolution(data: dict[str, Any]) -> ProjectResolution:
    """Return the answer that :func:`write` wrote as JSON; it raises what is wrong with *data*."""
    reads, reading = Reads.from_json(data["reads"]), Reading.of(data["reading"])
    above = tuple(strings(data.get("above", [])))
    took = measured(data.get("pip_seconds"))
    return ProjectResolution(seconds(data["time"]), tuple(map(_part, data["parts"])), reads, reading, above, took)


def _part(data: dict[str, Any]) -> ResolvedPart:
    return ResolvedPart(
        name=string(data["name"]),
        wheel=string(data["wheel"]),
        requested=bool(data["requested"]),
        direct_url=optional(data["direct_url"]),
        requirement=string(data["requirement"]),
        project=optional(data["project"]),
        metadata=optional(data["metadata"]),
    )


def write(store: Store, key: str, entry: Build | ProjectResolution, surroundings: Surroundings) -> None:
    """Keep *entry*; a store that cannot be written does without.

    Args:
        surroundings: as they are when the entry has been made.
    """
    kind = BUILDS if isinstance(entry, Build) else ANSWERS
    name = kind.file(key)
    before = load_names(store, name)
    widened = widen(key, before, entry.reads, surroundings)
    data = {**asdict(replace(entry, reads=NOTHING)), "reads": entry.reads.to_json()}
    with contextlib.suppress(StoreUnwritableError):
        store.publish(kind.file(widened.key), json.dumps(data))
        if widened.names != before:
            store.publish(name, widened.dumps())


def keep_archive(store: Store, wheel: str, digest: str) -> str:
    """Keep a copy of the built *wheel*, from which damaged objects can be stored again; return its relative path.

    Raises:
        OSError: the store cannot be written.
    """
    name = f"{ARCHIVES.name}/{digest}/{os.path.basename(wheel)}"
    target = os.path.join(store.layout.base, name)
    if not os.path.isfile(target):
        staged = staging_name(store.layout.staging)
        try:
            shutil.copyfile(wheel, staged)
            os.chmod(staged, FILE_MODE)
            publish(staged, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(staged)
            raise
    return name


def metadata_digest(fields: Mapping[str, Sequence[str]]) -> str:
    """Return a digest of what :func:`~.metadata.metadata_fields` has found."""
    return hashlib.sha256(json.dumps([[*item] for item in fields.items()]).encode()).hexdigest()


def digest_of(parts: Sequence[object]) -> str:
    """Return the hexadecimal SHA-256 of the JSON of *parts*."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()
