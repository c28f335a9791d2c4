"""Which notes may be in an archive, by their names, and how each is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from nox_linkenv.env.bytecode import Bytecode
from nox_linkenv.env.interpreter.facts import Facts
from nox_linkenv.env.plan import Plan
from nox_linkenv.env.skeleton import Skeleton
from nox_linkenv.projects.build_cache import Build, ProjectResolution, parse_build, parse_project_resolution
from nox_linkenv.projects.sdist_cache import parse_source
from nox_linkenv.projects.widening import parse_names
from nox_linkenv.resolve.cache import CachedResolution, parse_resolution
from nox_linkenv.resolve.pages import PageState, parse_state
from nox_linkenv.store.layout import (
    ANSWERS,
    BUILDS,
    INTERPRETERS,
    PAGES,
    PLANS,
    RESOLUTIONS,
    SKELETONS,
    SOURCES,
    WHEELS,
    Directory,
    unit_name,
)
from nox_linkenv.store.manifest import Manifest
from nox_linkenv.transfer.file_names import TAG

if TYPE_CHECKING:
    from collections.abc import Callable

    from nox_linkenv.projects.reads import Reads

__all__ = ["ORDER", "Carried", "Source", "directory_of", "parser_of"]

#: Directories of notes that an archive carries, in the order in which they come into a store: what others need first.
#: Lists of bytecode lie beside the plans and skeletons that they are for.  The next machine has no use for all others.
ORDER: Final = (WHEELS, SKELETONS, PLANS, SOURCES, BUILDS, ANSWERS, PAGES, RESOLUTIONS, INTERPRETERS)
_LIST: Final = re.compile(rf"((?:{PLANS.name}/[0-9a-f]{{2}}|{SKELETONS.name})/[0-9a-f]+)\.{TAG}\.json")


class Source(NamedTuple):
    """That a wheel was built from an sdist or a commit: its digest, and what the build has read."""

    wheel: str
    reads: Reads


#: What a note is read as; ``None`` for one that names what builds have read, and for facts.
Carried: TypeAlias = (
    Manifest | Plan | Skeleton | Bytecode | CachedResolution | Build | ProjectResolution | Source | PageState
)
_Parser: TypeAlias = "Callable[[Any], Carried | PageState | None]"


def directory_of(name: str) -> Directory:
    """Return the directory of the note *name*, relative to the format directory.

    Raises:
        ValueError: it is not the name of a note that an archive carries.
    """
    for directory in ORDER:
        if name.startswith(f"{directory.name}/"):
            matched = _LIST.fullmatch(name)
            unit_name(directory, name if matched is None else f"{matched[1]}.json")
            return directory
    raise ValueError("not the name of a note that an archive carries")


def parser_of(name: str) -> _Parser:
    """Return what reads the note *name*, as everybody reads it; it raises what is wrong with the text.

    Raises:
        ValueError: it is not the name of a note that an archive carries.
    """
    directory = directory_of(name)
    if _LIST.fullmatch(name) is not None:
        return _bytecode
    if directory is WHEELS:
        return lambda data: _manifest(data, WHEELS.key(name))
    return _PARSERS[directory]


def _manifest(data: dict[str, Any], digest: str) -> Manifest:
    manifest = Manifest.from_json(data)
    if manifest.digest != digest:
        raise ValueError("it is another wheel's")
    return manifest


def _bytecode(data: dict[str, Any]) -> Bytecode:
    """Return a list of bytecode; whether it fits its plan is looked at when it is used."""
    above = {directory.rpartition("/")[0] for directory in data["links"]["directories"]}
    return Bytecode.from_json(data, inside=above)


def _source(data: dict[str, Any]) -> Source | None:
    return None if _names(data) else Source(*parse_source(data))


def _names(data: dict[str, Any]) -> bool:
    """Return whether *data* is what builds with one key have read, and not an entry itself."""
    return set(data) == {"reads"} and parse_names(data) is not None


def _facts(data: dict[str, Any]) -> None:
    """Read the facts about an interpreter; what was found on a search is of use to one machine only."""
    Facts.from_json(data["facts"])


_PARSERS: Final[dict[Directory, _Parser]] = {
    SKELETONS: Skeleton.from_json,
    PLANS: Plan.from_json,
    SOURCES: _source,
    BUILDS: lambda data: None if _names(data) else parse_build(data),
    ANSWERS: lambda data: None if _names(data) else parse_project_resolution(data),
    PAGES: parse_state,
    RESOLUTIONS: lambda data: None if _names(data) else parse_resolution(data),
    INTERPRETERS: _facts,
}
