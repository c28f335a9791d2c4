"""Declarative projects: those whose build runs a backend that is known and no code of the project's own.

What such a build looks at is less than the whole tree, and its pure wheel is the same for every interpreter.  The
rules below were read off the backends' documentation and sources; whatever they do not name is not declarative.

Sources: https://packaging.python.org/en/latest/specifications/pyproject-toml/ and the documentation of the backends.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.projects.build_config import Declaration
from nox_linkenv.toml import parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["declaration_of", "writes_nothing"]


@dataclass(frozen=True, slots=True)
class _Rules:
    """What is known of a backend.

    Args:
        table: its own below ``[tool]``.
        requires: the distributions that a build may require, by their normalized names.
        repository: as in :class:`~nox_linkenv.projects.build_config.Declaration`.
        code: keys in its table which bring code of the project into the build.
        files, above: as in :class:`~nox_linkenv.projects.build_config.Declaration`.
        copies: keys in its table which name what editable wheels hold copies of, in some way.
        mapped: such keys below which the keys are the paths of it.
        version: values at ``source`` in its table's ``version`` which read the version from the file at ``path``.
        dynamic: whether everything else that is dynamic stands in its table.
        leavings: whether a build leaves something in the project.
    """

    table: str
    requires: frozenset[str]
    repository: bool = False
    code: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    copies: frozenset[str] = frozenset()
    mapped: frozenset[str] = frozenset()
    version: frozenset[str | None] = frozenset()
    dynamic: bool = field(default=False)
    leavings: bool = field(default=False)


_BACKENDS: Final[Mapping[str, _Rules]] = {
    "flit_core.buildapi": _Rules("flit", frozenset({"flit-core"}), copies=frozenset({"external-data"})),
    "hatchling.build": _Rules(
        "hatch",
        frozenset({"hatchling"}),
        code=frozenset({"hooks"}),
        files=("hatch.toml",),
        above=("hatch.toml",),
        copies=frozenset({"sbom-files"}),
        mapped=frozenset({"extra-metadata", "force-include", "shared-data", "shared-scripts"}),
        version=frozenset({None, "regex"}),
    ),
    "pdm.backend": _Rules(
        "pdm",
        frozenset({"pdm-backend"}),
        code=frozenset({"custom-hook", "hooks", "run-setuptools", "setup-script"}),
        files=("pdm_build.py",),
        copies=frozenset({"wheel-data"}),
        version=frozenset({None, "file"}),
        leavings=True,  # .pdm-build
    ),
    "poetry.core.masonry.api": _Rules(
        "poetry",
        frozenset({"poetry-core"}),
        repository=True,
        code=frozenset({"build", "generate-setup-file"}),
        dynamic=True,
    ),
    "setuptools.build_meta": _Rules(
        "setuptools",
        frozenset({"setuptools", "wheel"}),
        code=frozenset({"cmdclass", "ext-modules"}),
        files=("setup.py", "setup.cfg"),
        copies=frozenset({"data-files", "script-files"}),
        leavings=True,  # build, *.egg-info
    ),
    "uv_build": _Rules("uv", frozenset({"uv-build"}), copies=frozenset({"data"})),
}
_NAME: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:[<>=!~,;(]|$)")


def declaration_of(text: str) -> Declaration | None:
    """Return what the *text* of a ``pyproject.toml`` says of a build, ``None`` where it is not declarative."""
    data = _loads(text)
    system, metadata, tools = (_table(data, name) for name in ("build-system", "project", "tool"))
    backend = system.get("build-backend")
    rules = _BACKENDS.get(backend) if isinstance(backend, str) else None
    if rules is None or "backend-path" in system or not _plain(system.get("requires"), rules):
        return None
    tool = _table(tools, rules.table)
    dynamic = metadata.get("dynamic", [])
    if not metadata and not rules.dynamic:
        return None
    if dynamic and not rules.dynamic and (dynamic != ["version"] or not _read_from_a_file(tool, rules)):
        return None
    if not rules.code.isdisjoint(key for key, _ in _items(tool)):
        return None
    return Declaration(rules.repository, tuple(sorted(set(_copied(tool, rules)))), rules.files, rules.above)


def writes_nothing(text: str) -> bool:
    """Return whether the *text* of a ``pyproject.toml`` declares a build that leaves nothing in the project."""
    backend = _table(_loads(text), "build-system").get("build-backend")
    return declaration_of(text) is not None and not _BACKENDS[str(backend)].leavings


def _loads(text: str) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except ValueError:
        return {}


def _plain(requires: object, rules: _Rules) -> bool:
    """Return whether the build requires nothing but the backend itself: no plugin of it."""
    if not isinstance(requires, list):
        return False
    for requirement in requires:
        found = _NAME.match(requirement) if isinstance(requirement, str) else None
        if found is None or re.sub(r"[-_.]+", "-", found[1]).lower() not in rules.requires:
            return False
    return True


def _read_from_a_file(tool: dict[str, Any], rules: _Rules) -> bool:
    """Return whether the version is found in a file by a pattern, without running it."""
    version = _table(tool, "version")
    if not version.keys() <= {"path", "pattern", "source"} or not isinstance(version.get("path"), str):
        return False
    source = version.get("source")
    return (source is None or isinstance(source, str)) and source in rules.version


def _items(table: object) -> Iterator[tuple[str, object]]:
    """Yield every key and its value in *table* and in those within it."""
    if isinstance(table, dict):
        for key, value in table.items():
            yield key, value
            yield from _items(value)
    elif isinstance(table, list):
        for item in table:
            yield from _items(item)


def _copied(tool: dict[str, Any], rules: _Rules) -> Iterator[str]:
    for key, value in _items(tool):
        if key in rules.mapped and isinstance(value, dict):
            for path in value:
                plain = os.path.normpath(path).replace(os.sep, "/")
                yield "" if plain == "." else plain
        elif key in rules.mapped or key in rules.copies:
            yield ""


def _table(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}
