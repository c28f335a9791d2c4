"""The texts of ``.dist-info``: METADATA, WHEEL, entry_points.txt and the directory's own name."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from installer.utils import parse_metadata_file
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from .model import EntryPoint
from .refusal import refusal, unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["FIELDS_LIMIT", "Identity", "WheelText", "entry_points", "fields_of", "name_and_version", "parse_wheel_text"]

#: Characters; more than any honest fields of METADATA, whose description may stand among them.
FIELDS_LIMIT: Final = 4 << 20
_SUPPORTED_MAJOR: Final = 1
#: What all versions of pip's script generator understand in the same way: in a name, and in a value, where dotted
#: names on both sides of one colon are followed by extras.
_SCRIPT: Final = re.compile(r"[\w.+-]+")
_VALUE: Final = re.compile(
    r"(?P<object>\w+(?:\.\w+)*:\w+(?:\.\w+)*)\s*(?:\[\s*[\w-]+(?:=\w+)?(?:,\s*\w+(?:=\w+)?)*\s*\])?"
)
#: What importlib.metadata of Python 3.15 takes for an entry point of any group; older ones take anything.
_REFERENCE: Final = re.compile(r"[\w.]+\s*(:\s*[\w.]+\s*)?(\[.*\]\s*)?$")
#: What ends the fields of a message (RFC 5322 section 2.1).
_EMPTY_LINE: Final = re.compile(r"(?:\A|\n|\r)(?:\r\n|\n|\r)")
_GROUPS: Final = {"console_scripts": False, "gui_scripts": True}


@dataclass(frozen=True, slots=True)
class Identity:
    """Name (normalised) and version that the file name of a wheel states; all else is compared with it."""

    name: str
    version: Version

    @classmethod
    def of(cls, path: Path) -> Identity:
        """Return the identity of the wheel at *path*; raises UnsupportedWheelError if it is not named like one."""
        try:
            name, version, _, _ = parse_wheel_filename(path.name)
        except InvalidWheelFilename as error:
            raise unsupported(path, f"is not named as a wheel must be ({error})") from error
        return cls(name, version)

    def is_named(self, name: str, version: str) -> bool:
        """Whether *name* and *version*, however spelled, are this identity."""
        try:
            return canonicalize_name(name) == self.name and Version(version) == self.version
        except InvalidVersion:
            return False

    def is_dist_info(self, directory: str) -> bool:
        """Whether *directory*, like ``Foo_Bar-1.0.0.dist-info``, is this wheel's; the name ends at the first hyphen."""
        name, _, version = directory.rpartition(".")[0].partition("-")
        return self.is_named(name, version)

    def is_data(self, directory: str) -> bool:
        """Whether *directory*, like ``foo-bar-1.0.data``, is this wheel's; any hyphen may end the name, as for pip."""
        stem = directory.rpartition(".")[0]
        return any(self.is_named(stem[:at], stem[at + 1 :]) for at, character in enumerate(stem) if character == "-")


def fields_of(blocks: Iterable[str]) -> str:
    """Return the fields of METADATA out of its text in *blocks*, all of which are taken.

    What follows the fields, which may be long, is not kept.  Where more than `FIELDS_LIMIT` is returned, it is not all.
    """
    kept = ""
    ended = False
    for block in blocks:
        if not ended:
            start = max(0, len(kept) - 2)
            kept += block
            ended = len(kept) > FIELDS_LIMIT or _EMPTY_LINE.search(kept, start) is not None
    return kept


@dataclass(frozen=True, slots=True)
class WheelText:
    """What matters of WHEEL."""

    root_is_purelib: bool
    tags: tuple[str, ...]


def parse_wheel_text(text: str, path: Path) -> WheelText:
    """Read the contents of WHEEL.

    Raises:
        UnsupportedWheelError: its Wheel-Version is missing or of a newer major.
    """
    fields = parse_metadata_file(text)
    version = str(fields.get("Wheel-Version", "")).strip()
    try:
        major, *_ = [int(part) for part in version.split(".")]
    except ValueError:
        raise unsupported(path, f"has no readable Wheel-Version in WHEEL ({version!r})") from None
    if major > _SUPPORTED_MAJOR:
        raise unsupported(path, f"has Wheel-Version {version}, which is newer than the known major {_SUPPORTED_MAJOR}")
    return WheelText(
        root_is_purelib=str(fields.get("Root-Is-Purelib", "")).strip().lower() == "true",
        tags=tuple(str(tag).strip() for tag in fields.get_all("Tag", [])),
    )


def name_and_version(text: str, identity: Identity, path: Path) -> tuple[str, str]:
    """Return Name and Version of METADATA as written.

    Raises:
        UnsupportedWheelError: they are not those of the file name.
    """
    fields = parse_metadata_file(text)
    name, version = (str(fields.get(field, "")).strip() for field in ("Name", "Version"))
    if not identity.is_named(name, version):
        what = f"has {name!r} {version!r} in METADATA, but {identity.name} {identity.version} in its file name"
        raise unsupported(path, what)
    return name, version


def entry_points(text: str, path: Path) -> tuple[EntryPoint, ...]:
    """Return the scripts that ``entry_points.txt`` asks for; of entries with one name, the last one counts (pip).

    Raises:
        WheelError: a name leads out of the directory of scripts.
        UnsupportedWheelError: a name is no plain word, or a value is not ``module:attribute``; pip may fail then.
    """
    found: dict[tuple[bool, str], EntryPoint] = {}
    for group, name, reference in _lines(text, path):
        if group not in _GROUPS:
            if _REFERENCE.match(reference) is None:
                raise unsupported(
                    path, f"has the entry point {name!r} = {reference!r}, which pip on Python 3.15 refuses"
                )
            continue
        if name and not posixpath.normpath(posixpath.join("scripts", name)).startswith("scripts/"):
            raise refusal(path, f"has the entry point name {name!r}, which leads out of the directory of scripts")
        if _SCRIPT.fullmatch(name) is None:
            raise unsupported(path, f"has the entry point name {name!r}, which versions of pip understand differently")
        value = _VALUE.fullmatch(reference)
        if value is None:
            raise unsupported(path, f"has the entry point {name!r} = {reference!r}, which is not module:attribute")
        gui = _GROUPS[group]
        found[gui, name] = EntryPoint(name, value["object"], gui)
    return tuple(found.values())


def _lines(text: str, path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield group, name and value of each line of ``entry_points.txt``, split as importlib.metadata splits them.

    Its own classes are not used: since Python 3.15 they refuse while they read, with a text of their own, so that
    the outcome would depend on the interpreter that runs this.

    Raises:
        UnsupportedWheelError: a line is neither the head of a group nor an entry.
    """
    group = ""
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            group = line.strip("[]")
        elif group:
            name, equals, value = line.partition("=")
            if not equals:
                raise unsupported(path, f"has an entry_points.txt that cannot be read ({line!r})")
            yield group, name.strip(), value.strip()
