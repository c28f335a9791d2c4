"""What a project declares of itself in ``pyproject.toml``: enough to ask pip before the project is built.

A wheel that holds these declarations and nothing else stands in for the project.  Whether pip's answer to it holds is
known once the project is built: if the real metadata say the same, it does.

Source: https://packaging.python.org/en/latest/specifications/pyproject-toml/#declaring-project-metadata-the-project-table
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from nox_linkenv.toml import parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Declared", "read_declared"]

#: Fields that must be declared, or be left out, and not be found by the build.
_NEEDED: Final = frozenset({"version", "requires-python", "dependencies", "optional-dependencies"})


@dataclass(frozen=True, slots=True)
class Declared:
    """What decides about other distributions.

    Attributes:
        name, version: as they are written.
        python: the versions of Python that the project is for.
        requires: requirements in their normal form, those of extras with their markers.
        extras: normalized names.
    """

    name: str
    version: str
    python: str
    requires: frozenset[str]
    extras: frozenset[str]

    @classmethod
    def of_fields(cls, fields: Mapping[str, Sequence[str]]) -> Declared | None:
        """Return what the *fields* of a METADATA file say, each with its values; ``None`` where they are not valid."""
        try:
            (name,), (version,) = fields["Name"], fields["Version"]
            return cls(
                name,
                version,
                str(SpecifierSet(",".join(fields["Requires-Python"]))),
                frozenset(str(_plain(text)) for text in fields["Requires-Dist"]),
                frozenset(canonicalize_name(extra) for extra in fields["Provides-Extra"]),
            )
        except ValueError:
            return None

    def write_wheel(self, directory: str) -> str:
        """Write a wheel that says this and holds nothing else into *directory*; return its path."""
        name = canonicalize_name(self.name).replace("-", "_")
        about = f"{name}-{self.version}.dist-info"
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        lines += [f"Requires-Python: {self.python}"] if self.python else []
        lines += [f"Provides-Extra: {extra}" for extra in sorted(self.extras)]
        lines += [f"Requires-Dist: {requirement}" for requirement in sorted(self.requires)]
        path = os.path.join(directory, f"{name}-{self.version}-py3-none-any.whl")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{about}/METADATA", "\n".join([*lines, ""]))
            archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{about}/RECORD", "")
        return path


def read_declared(project: str) -> Declared | None:
    """Return what the project in the directory *project* declares, ``None`` where a build is needed to know it."""
    try:
        with open(os.path.join(project, "pyproject.toml"), encoding="utf-8") as stream:
            table = parse_toml(stream.read()).get("project")
        return _declared(table) if isinstance(table, dict) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None  # whoever builds it says what is wrong with it


def _declared(table: Mapping[str, Any]) -> Declared | None:
    if not _NEEDED.isdisjoint(table.get("dynamic", ())) or str(Version(table["version"])) != table["version"]:
        return None
    name = canonicalize_name(table["name"], validate=True)  # a file is named by it
    optional: dict[str, list[str]] = {
        canonicalize_name(extra): _strings(texts) for extra, texts in table.get("optional-dependencies", {}).items()
    }
    requires = list(_requirements(_strings(table.get("dependencies", [])), optional))
    if any(requirement.name == name for requirement in requires):
        return None  # some backends write out what extras of the project itself stand for
    return Declared(
        table["name"],
        table["version"],
        str(SpecifierSet(table.get("requires-python", ""))),
        frozenset(map(str, requires)),
        frozenset(optional),
    )


def _requirements(plain: Sequence[str], optional: Mapping[str, Sequence[str]]) -> Iterator[Requirement]:
    yield from map(_plain, plain)
    for extra, texts in optional.items():
        for requirement in map(_plain, texts):
            own = f'extra == "{extra}"'
            requirement.marker = Marker(f"({requirement.marker}) and {own}" if requirement.marker else own)
            yield requirement


def _strings(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError
    return value


def _plain(text: str) -> Requirement:
    """Return the requirement *text* with its name as indexes know it; some backends write it so."""
    requirement = Requirement(text)
    requirement.name = canonicalize_name(requirement.name)
    return requirement
