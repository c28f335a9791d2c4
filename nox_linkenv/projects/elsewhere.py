"""A build of one checkout of a project, put in the place of the build of another: the same files at another path.

What is built of a declarative project does not depend on where it lies, but for what editable wheels are made for:
links into the project, in files of a known form.  Whether that is so is looked at in each wheel, and in what its build
has read.
"""

from __future__ import annotations

import csv
import io
import os
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nox_linkenv.env.record import record_digest, record_row
from nox_linkenv.projects.build_cache import Build, ProjectResolution, keep_archive
from nox_linkenv.projects.looking import and_above, within
from nox_linkenv.projects.product import unpacked
from nox_linkenv.projects.reads import Reads
from nox_linkenv.projects.substitutes import direct_url_for
from nox_linkenv.resolve.inputs import read_file
from nox_linkenv.store.temporary import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nox_linkenv.projects.requirements import Requested
    from nox_linkenv.store import Store

__all__ = ["moved_build", "moved_resolution", "shared_build", "shared_resolution"]

#: A path that stands in every text as it is, whatever quotes it.
_PLAIN: Final = re.compile(r"/[A-Za-z0-9_+-][A-Za-z0-9_./+-]*", re.ASCII)
#: Files of editable wheels that link into the project: of all backends, and of setuptools.
_LINKS: Final = re.compile(r"[^/]+\.pth|__editable___\w+_finder\.py", re.ASCII)
_REPOSITORIES: Final = frozenset({".git", ".hg", ".svn", ".bzr"})
#: How deep archives may lie in archives.
_DEPTH: Final = 3


def _placeless(reads: Reads, place: str, prefix: str) -> tuple[Reads, frozenset[str]] | None:
    """Return *reads* as what reads the same at any other place, ``None`` where it is bound to the real path *place*.

    Backends look upwards from a project, for files that say what is ignored: that there were none is no matter of the
    place, as long as there are none elsewhere.  All else outside of it lies where it lies.

    Args:
        prefix: absolute path of the environment that was installed in.

    Returns:
        Besides, names that were looked for in the directories above, and were in none of them.
    """
    above = set(and_above(place)) - {place}
    names: set[str] = set()
    kept: dict[str, frozenset[str]] = {}
    for kind in ("files", "states", "lists", "scans", "metadata", "trees", "archives"):
        paths: Collection[str] = getattr(reads, kind)
        inside = {path for path in paths if within(path, place) is not None}
        beside = {path for path in paths if os.path.dirname(path) in above} - above - inside
        absent = {path for path in beside if not os.path.lexists(path)}
        if not all(_in_environment(path, place) for path in inside - set(and_above(prefix))) or not all(
            map(_is_plain, beside - absent)
        ):
            return None
        if kind not in ("files", "states") and (absent or not above.isdisjoint(paths)):
            return None
        names |= {os.path.basename(path) for path in absent}
        kept[kind] = frozenset(set(paths) - inside - absent)
    return replace(reads, **kept), frozenset(names)  # type: ignore[arg-type]


def _is_plain(path: str) -> bool:
    """Return whether at *path*, beside a directory above a project, is none of what backends look for there."""
    return os.path.isdir(path) and not os.path.islink(path) and os.path.basename(path) not in _REPOSITORIES


def _in_environment(path: str, place: str) -> bool:
    """Return whether *path* is in an environment at *place*, such as the one that the host runs in."""
    top = os.path.join(place, (within(path, place) or "").partition("/")[0])
    return top != place and os.path.isfile(os.path.join(top, "pyvenv.cfg"))


def _none_above(names: Collection[str], place: str) -> Reads | None:
    """Return what it takes to see that none of *names* is in a directory above *place*; ``None`` where one is."""
    paths = frozenset(os.path.join(above, name) for above in and_above(place) if above != place for name in names)
    return None if any(map(os.path.lexists, paths)) else Reads(files=paths)


def shared_build(store: Store, build: Build, place: str, prefix: str) -> Build | None:
    """Return *build* of the project at the real path *place* as one for other checkouts; ``None`` where it is none.

    Args:
        prefix: absolute path of the environment that it was built for.
    """
    found = _placeless(build.reads, place, prefix)
    if found is None or build.refused or build.generated or _leads_out(place):
        return None
    if _members(store, build, place, place) is None:
        return None
    return replace(build, reads=found[0], origin=place, above=tuple(sorted(found[1])))


def _leads_out(place: str) -> bool:
    """Return whether the configuration of the project at *place* may name something by its way from there."""
    data = read_file(os.path.join(place, "pyproject.toml"))
    return data is None or b".." in data


def moved_build(store: Store, build: Build, place: str) -> Build | None:
    """Return the shared *build* as that of the checkout at the real path *place*; ``None`` where it cannot be that.

    Raises:
        OSError, LinkenvError: the store cannot be written.
    """
    reads = _none_above(build.above, place)
    if reads is None:
        return None
    members = _members(store, build, build.origin, place)
    if members is None:
        return None
    found = replace(build, reads=build.reads | reads, origin="", above=())
    if not members:
        return found
    archive = os.path.join(store.layout.base, build.archive)
    with temporary_directory(store.layout) as directory:
        path = os.path.join(directory, os.path.basename(archive))
        with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
            for member in old.infolist():
                content = members.get(member.filename)
                new.writestr(member, old.read(member) if content is None else content)
        manifest = store.add(Path(path))
        kept = keep_archive(store, path, manifest.digest)
    return replace(found, wheel=manifest.digest, archive=kept)


def shared_resolution(
    found: ProjectResolution, requested: Requested, directory: str, prefix: str
) -> ProjectResolution | None:
    """Return *found*, pip's answer in *directory*, as one for other checkouts; ``None`` where it is none.

    The projects in it are named by their places in the directory.

    Args:
        prefix: absolute path of the environment that was installed in.
    """
    place = os.path.realpath(directory)
    reads = _placeless(found.reads, place, prefix)
    projects = {project.path: project for project in requested.projects}
    parts = []
    for part in found.parts:
        project = None if part.project is None else projects[part.project]
        if project is None and (place in part.requirement or place in (part.direct_url or "")):
            return None
        if project is not None:
            if part.direct_url != direct_url_for(project, directory):
                return None
            part = replace(part, project=os.path.relpath(project.path, place), direct_url=None, requirement="")
        parts.append(part)
    return None if reads is None else replace(found, parts=tuple(parts), reads=reads[0], above=tuple(sorted(reads[1])))


def moved_resolution(found: ProjectResolution, requested: Requested, directory: str) -> ProjectResolution | None:
    """Return the shared *found* as pip's answer in *directory*; ``None`` where it cannot be that."""
    place = os.path.realpath(directory)
    reads = _none_above(found.above, place)
    projects = {os.path.relpath(project.path, place): project for project in requested.projects}
    if reads is None or not all(part.project is None or part.project in projects for part in found.parts):
        return None
    parts = []
    for part in found.parts:
        if part.project is not None:
            project = projects[part.project]
            part = replace(part, project=project.path, direct_url=direct_url_for(project, directory))
        parts.append(part)
    return replace(found, parts=tuple(parts), reads=found.reads | reads, above=())


def _members(store: Store, build: Build, origin: str, place: str) -> dict[str, bytes] | None:
    """Return what is another content in the wheel of a checkout at *place* than in that of one at *origin*, by name.

    ``None`` where that cannot be told.
    """
    try:
        with zipfile.ZipFile(os.path.join(store.layout.base, build.archive)) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
    except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile):
        return None
    changed: dict[str, bytes] = {}
    for name, content in contents.items():
        if not _mentions(content, origin):
            continue
        moved = _moved(content, origin, place) if _LINKS.fullmatch(name) else None
        if moved is None:
            return None
        changed[name] = moved
    if not changed:
        return {}
    (record,) = [name for name in contents if name.count("/") == 1 and name.endswith(".dist-info/RECORD")] or [""]
    rows = _rows(contents.get(record, b""), contents, changed)
    return None if rows is None else {**changed, record: rows}


def _mentions(content: bytes, path: str) -> bool:
    """Return whether *content* may hold *path*, in whatever form."""
    names = (path.encode("utf-8", "surrogateescape"), path.encode("utf-16-le", "surrogatepass"))
    return any(part is None or any(name in part for name in names) for part in unpacked(content, _DEPTH))


def _moved(content: bytes, origin: str, place: str) -> bytes | None:
    """Return *content* with *place* where *origin* stands; ``None`` where anything else may name where that lies."""
    if _PLAIN.fullmatch(origin) is None or _PLAIN.fullmatch(place) is None:
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    pattern = re.compile(rf"(?<![\w./+@~-]){re.escape(origin)}(?=[/'\"\r\n]|$)")
    # A directory beside the project would have another path, too.
    around = origin if os.path.dirname(origin) == os.sep else os.path.dirname(origin)
    if len(pattern.findall(text)) != text.count(around):
        return None
    return pattern.sub(lambda _: place, text).encode()


def _rows(record: bytes, contents: Mapping[str, bytes], changed: Mapping[str, bytes]) -> bytes | None:
    """Return the RECORD with new rows for what has *changed*; ``None`` where the old ones are not what they should be.

    Source: https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
    """
    lines = record.decode("utf-8", "replace").splitlines(keepends=True)
    left = set(changed)
    for at, line in enumerate(lines):
        row = next(csv.reader(io.StringIO(line)), [])
        if not row or row[0] not in changed:
            continue
        if row[1:] != [record_digest(contents[row[0]]), str(len(contents[row[0]]))] or row[0] not in left:
            return None
        end = line[len(line.rstrip("\r\n")) :]
        lines[at] = record_row(row[0], changed[row[0]]) + end
        left.discard(row[0])
    return None if left else "".join(lines).encode()
