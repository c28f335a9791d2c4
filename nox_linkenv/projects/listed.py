"""What requirement files say that concerns local projects: the projects in them, and options that builds inherit.

Source: https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nox_linkenv.projects.named import LocalProject, local_project
from nox_linkenv.resolve.inputs import UnkeyableError, read_file
from nox_linkenv.resolve.pip_arguments import Kind
from nox_linkenv.resolve.requirement_files import Option, decode, expand, is_lock, logical_lines, parse_line
from nox_linkenv.resolve.specifiers import bare, file_named, is_remote, without_extras

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_linkenv.resolve.pip_arguments import Arguments
    from nox_linkenv.resolve.requirement_files import Line

__all__ = ["Listed", "UnmodelledError", "read_listed"]

#: Options which mean in a file what they mean among the arguments.
_INHERITED: Final = {
    "-f": Kind.INDEX,
    "--find-links": Kind.INDEX,
    "--extra-index-url": Kind.INDEX,
    "--trusted-host": Kind.INDEX,
    "--no-binary": Kind.BUILD,
    "--only-binary": Kind.BUILD,
    "--pre": Kind.INDEX,
    "--prefer-binary": Kind.INDEX,
}
#: Options that put indexes in the place of others: they mean the same where there are no others.
_INDEXES: Final = ("-i", "--index-url", "--pypi-url")
_HASHES: Final = (Option.HASH, Option.NO_REQUIRE_HASHES)
_FILES: Final = (Option.REQUIREMENT_FILE, Option.CONSTRAINT_FILE)


class UnmodelledError(Exception):
    """Only pip knows how this is built; the message says why, in one clause."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What requirement files say of local projects.

    Attributes:
        projects: the projects, by what is written of them.
        options: what builds inherit, as among the arguments.
        remote: URLs of files on servers, without user names and passwords: only pip has seen what they say.
    """

    projects: dict[str, LocalProject] = field(default_factory=dict)
    options: list[tuple[Kind, str, str | None]] = field(default_factory=list)
    remote: set[str] = field(default_factory=set)


def read_listed(
    arguments: Arguments, environ: Mapping[str, str], directory: str, *, indexes: bool, projects: bool = True
) -> Listed:
    """Return what the files that *arguments* name say, with those which they name in turn.

    Args:
        environ: the variables that pip would run with.
        directory: absolute path of the directory that pip would run in.
        indexes: whether indexes are named elsewhere beside the one, or none is to be asked.
        projects: whether local projects are looked for, and hashes, which stand against them.

    Raises:
        UnmodelledError: something in a file decides how projects are built.
    """
    reader = _Reader(environ, directory, indexes, projects)
    try:
        for kind, _, value in arguments.options:
            if kind in (Kind.REQUIREMENT_FILE, Kind.CONSTRAINT_FILE) and value is not None:
                if is_remote(value):
                    reader.found.remote.add(bare(value))
                    continue
                if kind is Kind.REQUIREMENT_FILE and is_lock(without_extras(value)):
                    continue
                reader.read(file_named(value, directory), (), constraint=kind is Kind.CONSTRAINT_FILE)
    except UnkeyableError as error:
        raise UnmodelledError(error.reason) from None
    names = {name for _, name, _ in reader.found.options}
    if "--extra-index-url" in names and not names.isdisjoint(_INDEXES):
        raise UnmodelledError("requirement files name indexes that stand in the place of each other")
    return reader.found


class _Reader:
    def __init__(self, environ: Mapping[str, str], directory: str, indexes: bool, projects: bool) -> None:
        self.environ = environ
        self.directory = directory
        self.indexes = indexes
        self.projects = projects
        self.found = Listed()

    def read(self, path: str, readers: tuple[str, ...], *, constraint: bool) -> None:
        data = read_file(path)
        if data is None or path in readers:
            raise UnmodelledError(f"{path} cannot be read")
        shown = os.path.relpath(path, self.directory) if path.startswith(f"{self.directory}{os.sep}") else path
        for raw in logical_lines(decode(data, self.environ, shown)):
            line = parse_line(expand(raw, self.environ, set()), shown)
            if self.projects and not constraint:
                self._project(line, shown)
            for (option, value), name in zip(line.options, line.names, strict=True):
                if option in _FILES and value is not None and is_remote(value):
                    self.found.remote.add(bare(value))
                elif option in _FILES and value is not None:
                    nested = file_named(value, os.path.dirname(path))
                    self.read(nested, (*readers, path), constraint=option is Option.CONSTRAINT_FILE)
                elif option is not Option.EDITABLE and (self.projects or option not in _HASHES):
                    self._inherit(name, option, value, path, shown)

    def _project(self, line: Line, shown: str) -> None:
        """Take in the local project that *line* names, if it names one."""
        editable = [value for option, value in line.options if option is Option.EDITABLE and value is not None]
        written = editable[0] if editable else line.requirement
        project = local_project(written, self.directory, editable=bool(editable)) if written else None
        if project is None:
            return
        if len(line.options) > len(editable) or len(editable) > 1:
            raise UnmodelledError(f"{shown} has options for a local project")
        if written in self.found.projects:
            raise UnmodelledError("a local project is named twice")
        self.found.projects[written] = project

    def _inherit(self, name: str, option: Option, value: str | None, path: str, shown: str) -> None:
        """Take in an option that pip hands on to the installation of build requirements."""
        if name in _INDEXES and not self.indexes:
            self.found.options.append((Kind.INDEX, name, value))
        elif name in _INHERITED:
            if option is Option.FIND_LINKS and value is not None:
                beside = os.path.join(os.path.dirname(path), value)
                value = beside if os.path.exists(beside) else value
            self.found.options.append((_INHERITED[name], name, value))
        else:
            raise UnmodelledError(f"builds inherit {name} from {shown}")
