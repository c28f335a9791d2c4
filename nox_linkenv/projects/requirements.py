"""Local projects among the arguments of ``pip install``, where they are of the plain kind that is modelled."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from nox_linkenv.resolve.inputs import UnkeyableError
from nox_linkenv.resolve.pip_arguments import Arguments, Kind
from nox_linkenv.resolve.pip_config import PipConfig, setting_name, settings_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LocalProject", "Requested", "UnmodelledError", "find_projects", "index_arguments"]

#: Settings of pip under which builds, or the installation of what they need, go another way than the modelled one.
_SETTINGS: Final = (
    "build-constraint", "build-option", "check-build-dependencies", "config-settings", "global-option",
    "ignore-requires-python", "no-binary", "no-build-isolation", "no-deps", "no-use-pep517", "only-binary",
    "require-hashes", "use-deprecated", "use-feature", "use-pep517", "verbose",
)  # fmt: skip
#: Variables that lead git to another repository than the one around the project.
_GIT: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
_CONFIG_OPTIONS: Final = ("-C", "--config-settings", "--config-setting")
_SEPARATORS: Final = tuple(filter(None, (os.sep, os.altsep)))
_EXTRAS: Final = re.compile(r"(.+?)\s*(\[[^\]]*\])")
#: In a requirement file: an option that builds would inherit, or another file that may hold one.
_INHERITED: Final = re.compile(r"^\s*-(?!-?(c|constraint)\b)", re.M)


class UnmodelledError(Exception):
    """Only pip knows how this is built; the message says why, in one clause."""


@dataclass(frozen=True, slots=True)
class LocalProject:
    """A directory that is to be built and installed.

    Args:
        path: real path.
        editable: whether in editable mode.
        named: the path as it was written, maybe relative to the directory that pip would run in.
        extras: with their brackets.
        configured: whether settings for its backend are given.
    """

    path: str
    editable: bool
    named: str
    extras: str
    configured: bool = False

    @property
    def plainly_editable(self) -> bool:
        """Whether it is to be editable in the way that its backend has without settings."""
        return self.editable and not self.configured


@dataclass(frozen=True, slots=True)
class Requested:
    """A request taken apart.

    Args:
        projects: the local projects among the requirements.
        others: the arguments without them.
        order: all requirements in pip's order, with the local projects among them.
        config: settings for the build backends.
    """

    projects: tuple[LocalProject, ...]
    others: Arguments
    order: tuple[str | LocalProject, ...]
    config: Mapping[str, str | list[str]]


def find_projects(
    arguments: Arguments, *, environ: Mapping[str, str], directory: str, config: PipConfig
) -> Requested | None:
    """Return the local projects among *arguments*, ``None`` where there are none.

    Args:
        environ: the variables that pip would run with.
        directory: absolute path of the directory that pip would run in.
        config: pip's configuration.

    Raises:
        UnmodelledError: there are some, and an option, a variable or a file decides how they are built.
    """
    order: list[str | LocalProject] = []
    others = Arguments()
    for requirement in arguments.requirements:
        project = _project(requirement, directory, editable=False)
        if project is None:
            others.requirements.append(requirement)
        order.append(project or requirement)
    for kind, option, value in arguments.options:
        project = _project(value, directory, editable=True) if kind is Kind.EDITABLE and value is not None else None
        if project is None:
            others.options.append((kind, option, value))
        else:
            order.append(project)
    paths = [item.path for item in order if isinstance(item, LocalProject)]
    if not paths:
        return None
    if len(set(paths)) < len(paths):
        raise UnmodelledError("a local project is named twice")
    _check_settings(environ, config)
    backend = _config(arguments, directory)
    if backend:
        order = [replace(item, configured=True) if isinstance(item, LocalProject) else item for item in order]
    return Requested(tuple(item for item in order if isinstance(item, LocalProject)), others, tuple(order), backend)


def _project(requirement: str, directory: str, *, editable: bool) -> LocalProject | None:
    """Return the local project that *requirement* names, as pip tells: a directory, and no mere word."""
    found = _EXTRAS.fullmatch(requirement)
    name, extras = (found[1], found[2]) if found else (requirement, "")
    path = os.path.join(directory, name)
    if not editable and not name.startswith(".") and not any(separator in name for separator in _SEPARATORS):
        return None
    return LocalProject(os.path.realpath(path), editable, name, extras) if os.path.isdir(path) else None


def _config(arguments: Arguments, directory: str) -> dict[str, str | list[str]]:
    """Check the options and return the settings for backends, as pip collects them."""
    config: dict[str, str | list[str]] = {}
    for kind, option, value in arguments.options:
        if option in ("-v", "--verbose"):
            raise UnmodelledError("the output of builds is to be shown")
        if option == "--require-hashes":
            raise UnmodelledError("a local project cannot have a hash")
        if kind is Kind.REQUIREMENT_FILE and value is not None:
            try:
                with open(os.path.join(directory, value), encoding="utf-8") as stream:
                    text = stream.read()
            except (OSError, UnicodeDecodeError):
                raise UnmodelledError(f"{value} cannot be read") from None
            if _INHERITED.search(text):
                raise UnmodelledError(f"builds inherit options from {value}")
        if kind is not Kind.BUILD or option == "--use-pep517":
            continue
        name, separator, setting = (value or "").partition("=")
        if option not in _CONFIG_OPTIONS or not separator:
            raise UnmodelledError(f"{option} decides how distributions are built")
        before = config.get(name)
        if before is None:
            config[name] = setting
        else:
            config[name] = [*([before] if isinstance(before, str) else before), setting]
    return config


def _check_settings(environ: Mapping[str, str], config: PipConfig) -> None:
    for variable, value in environ.items():
        if value and variable.startswith("PIP_") and setting_name(variable[4:]) in _SETTINGS:
            raise UnmodelledError(f"{variable} decides how distributions are built")
    for name in _GIT:
        if name in environ:
            raise UnmodelledError(f"{name} is set")
    try:
        for path, text in config.files():
            for name, _ in settings_in(path, text):
                if name in (*_SETTINGS, "constraint", "constraints"):
                    raise UnmodelledError(f"{path} sets {name}")
    except UnkeyableError as error:
        raise UnmodelledError(error.reason) from None


def index_arguments(arguments: Arguments) -> Sequence[str]:
    """Return those of *arguments* that pip hands on to the installation of build requirements."""
    chosen = [
        (kind, option, value)
        for kind, option, value in arguments.options
        if kind is Kind.INDEX or option in ("--pre", "--prefer-binary")
    ]
    return Arguments(options=chosen).again(Kind.INDEX, Kind.CHOICE)
