"""Local projects among the arguments of ``pip install``, where they are of the plain kind that is modelled."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from nox_linkenv.projects.listed import Listed, UnmodelledError, read_listed
from nox_linkenv.projects.named import LocalProject, local_project
from nox_linkenv.resolve.inputs import UnkeyableError
from nox_linkenv.resolve.key import MORE
from nox_linkenv.resolve.pip_arguments import Arguments, Kind
from nox_linkenv.resolve.pip_config import PipConfig, settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LocalProject", "Requested", "UnmodelledError", "find_projects", "index_arguments", "with_listed"]

#: Settings of pip under which builds, or the installation of what they need, go another way than the modelled one.
_SETTINGS: Final = (
    "build-constraint", "build-option", "check-build-dependencies", "config-settings", "global-option",
    "ignore-requires-python", "no-build-isolation", "no-deps", "no-use-pep517", "require-hashes", "use-deprecated",
    "use-feature", "use-pep517",
)  # fmt: skip
#: Variables that lead git to another repository than the one around the project.
_GIT: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
_CONFIG_OPTIONS: Final = ("-C", "--config-settings", "--config-setting")
_UNISOLATED: Final = "--no-build-isolation"
#: Options that say whether distributions are taken as wheels or as sources; builds inherit them.
_FORMATS: Final = ("--no-binary", "--only-binary")
#: Features of pip that change neither how projects are built nor what is installed.
_FEATURES: Final = frozenset({"fast-deps", "truststore"})


@dataclass(frozen=True, slots=True)
class Requested:
    """A request taken apart.

    Args:
        projects: the local projects among the requirements.
        others: the arguments without them.
        order: all requirements of the command line in pip's order, with the local projects among them.
        config: settings for the build backends.
        listed: what requirement files have of local projects, and of options.
        verbatim: whether pip is to be asked with the arguments as they stand, and no wheels for the projects.
        isolated: whether projects are built in environments of their own, and not in that of the session.
    """

    projects: tuple[LocalProject, ...]
    others: Arguments
    order: tuple[str | LocalProject, ...]
    config: Mapping[str, str | list[str]]
    listed: Listed = field(default_factory=Listed)
    verbatim: bool = False
    isolated: bool = True

    @property
    def local(self) -> frozenset[str]:
        """What requirement files have of local projects, as it is written there."""
        return frozenset(self.listed.projects)


def find_projects(
    arguments: Arguments,
    *,
    environ: Mapping[str, str],
    directory: str,
    config: PipConfig,
    unpacked: Mapping[str, LocalProject] = MappingProxyType({}),
) -> Requested | None:
    """Return the local projects among *arguments*, ``None`` where there are none.

    Args:
        environ: the variables that pip would run with.
        directory: absolute path of the directory that pip would run in.
        config: pip's configuration.
        unpacked: what was unpacked from sdists, by the requirements that name these.

    Raises:
        UnmodelledError: there are some, and an option, a variable or a file decides how they are built.
    """
    order: list[str | LocalProject] = []
    others = Arguments()
    for requirement in arguments.requirements:
        project = unpacked.get(requirement) or local_project(requirement, directory, editable=False)
        if project is None:
            others.requirements.append(requirement)
        order.append(project or requirement)
    for kind, option, value in arguments.options:
        project = local_project(value, directory, editable=True) if kind is Kind.EDITABLE and value else None
        if project is None:
            others.options.append((kind, option, value))
        else:
            order.append(project)
    try:
        settings = settings_of(environ, config)
    except UnkeyableError as error:
        raise UnmodelledError(error.reason) from None
    listed = read_listed(arguments, environ, directory, indexes=_adds_indexes(arguments, settings))
    named = [item for item in order if isinstance(item, LocalProject)]
    projects = [*named, *listed.projects.values()]
    if not projects:
        return None
    if len({item.path for item in projects}) < len(projects):
        raise UnmodelledError("a local project is named twice")
    _check(settings, environ)
    backend = _config(arguments)
    if backend and listed.projects:
        raise UnmodelledError("settings for build backends are given, which requirement files do not get")
    if backend:
        order = [replace(item, configured=True) if isinstance(item, LocalProject) else item for item in order]
        projects = [item for item in order if isinstance(item, LocalProject)]
    options = [*arguments.options, *listed.options]
    return Requested(
        tuple(projects),
        others,
        tuple(order),
        backend,
        listed,
        # Pip might not take a wheel where it takes a project; with -v it is to show what it does; and only it knows
        # what it notes of a relative URL.
        verbatim=bool(listed.projects)
        or any(item.noted_as for item in projects)
        or any(option in (*_FORMATS, "-v", "--verbose") for _, option, _ in options)
        or any(name in ("no-binary", "only-binary", "verbose") for _, name, _ in settings),
        isolated=not arguments.has(_UNISOLATED),
    )


def _config(arguments: Arguments) -> dict[str, str | list[str]]:
    """Check the options and return the settings for backends, as pip collects them."""
    config: dict[str, str | list[str]] = {}
    for kind, option, value in arguments.options:
        if option == "--require-hashes":
            raise UnmodelledError("a local project cannot have a hash")
        if option == "--use-feature" and value not in _FEATURES:
            raise UnmodelledError(f"{option} {value} may decide how distributions are built")
        if kind is not Kind.BUILD or option in ("--use-pep517", _UNISOLATED, *_FORMATS):
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


def _check(settings: Sequence[tuple[str, str, str]], environ: Mapping[str, str]) -> None:
    for place, name, _ in settings:
        if place.startswith("PIP_") and name in _SETTINGS:
            raise UnmodelledError(f"{place} decides how distributions are built")
        if not place.startswith("PIP_") and name in _SETTINGS:
            raise UnmodelledError(f"{place} sets {name}")
    for name in _GIT:
        if name in environ:
            raise UnmodelledError(f"{name} is set")


def with_listed(
    arguments: Arguments,
    environ: Mapping[str, str],
    directory: str,
    settings: Sequence[tuple[str, str, str]],
    plain: frozenset[str],
) -> Arguments:
    """Return *arguments* with the options of their requirement files that builds inherit, such as ``--find-links``.

    Args:
        settings: of pip, from variables and configuration files.
        plain: URLs of requirement files on servers that say no more than versions.

    Raises:
        UnmodelledError: something in a file decides how distributions are built, in a way that only pip knows.
    """
    listed = read_listed(arguments, environ, directory, indexes=_adds_indexes(arguments, settings), projects=False)
    if not plain.issuperset(listed.remote):
        raise UnmodelledError(f"{min(listed.remote - plain)} {MORE}, and something is built")
    return Arguments(arguments.requirements, [*arguments.options, *listed.options])


def _adds_indexes(arguments: Arguments, settings: Sequence[tuple[str, str, str]]) -> bool:
    """Return whether indexes are named beside the one, or none is to be asked: files would change that."""
    return arguments.has("--extra-index-url", "--no-index") or any(
        name in ("extra-index-url", "no-index") for _, name, _ in settings
    )


def index_arguments(requested: Requested, *, prereleases: bool) -> Sequence[str]:
    """Return those of the arguments that pip hands on to the installation of build requirements.

    Args:
        prereleases: whether ``--pre`` is among these.
    """
    chosen = [
        (kind, option, value)
        for kind, option, value in [*requested.others.options, *requested.listed.options]
        if kind is Kind.INDEX or option in ("--pre", "--prefer-binary", *_FORMATS)
        if prereleases or option != "--pre"
    ]
    return Arguments(options=chosen).again(Kind.INDEX, Kind.CHOICE, Kind.BUILD)
