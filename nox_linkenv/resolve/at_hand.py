"""Wheels that are all there is to be installed: pip would take them as they are, so it need not be asked.

Hosts install the package that they have just built by its path, without its dependencies.  Neither an index nor what is
installed decides anything then.  What of it is not plain is left to pip.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
import zlib
from email.parser import Parser
from typing import TYPE_CHECKING, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from nox_linkenv.resolve.archives import direct_url_of
from nox_linkenv.resolve.inputs import UnkeyableError, read_file
from nox_linkenv.resolve.pip_arguments import Arguments, Kind
from nox_linkenv.resolve.pip_config import HARMLESS, PipConfig, settings_of
from nox_linkenv.resolve.report import Origin, Resolved
from nox_linkenv.resolve.requirement_files import Option, decode, expand, logical_lines, parse_line
from nox_linkenv.resolve.specifiers import file_named
from nox_linkenv.wheel.metadata import FIELDS_LIMIT, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nox_linkenv.resolve.inputs import Interpreter
    from nox_linkenv.resolve.key import Key
    from nox_linkenv.resolve.request import Request

__all__ = ["wheels_at_hand"]

#: The pips of which it is known what they do with such wheels, and what they write of where these come from.
_PIPS: Final = SpecifierSet(">=23.1,<27", prereleases=False)
_DIRECT_URL: Final = '{"archive_info": {"hash": "", "hashes": {"sha256": ""}}, "url": ""}'
_OPTIONS: Final = frozenset(
    {
        "--no-deps", "--no-dependencies", "--force-reinstall", "-U", "--upgrade", "--upgrade-strategy", "--pre",
        "--prefer-binary", "-i", "--index-url", "--pypi-url", "--extra-index-url", "-f", "--find-links",
        "--trusted-host", "--no-index", "--cert", "--client-cert", "--proxy", "--retries", "--timeout", "--cache-dir",
        "--no-cache-dir",
    }
)  # fmt: skip
#: They are heard, not read: pip is to say more of what it does.
_TOLD: Final = frozenset({"-v", "--verbose"})
_SETTINGS: Final = frozenset(
    {
        *HARMLESS, "config-file", "index-url", "pypi-url", "extra-index-url", "find-links", "trusted-host", "no-index",
        "pre", "prefer-binary", "upgrade", "upgrade-strategy", "no-deps", "no-dependencies",
    }
)  # fmt: skip
_CONSTRAINTS: Final = ("constraint", "constraints")
#: Names of wheels that every pip reads in the same way, and which every interpreter takes (PEP 427, PEP 425).
_PLAIN: Final = re.compile(
    r"[A-Za-z0-9_.]+-\d[A-Za-z0-9_.!+]*(?:-\d[A-Za-z0-9_.]*)?-(?:py2\.py3|py3|py3\.py2)-none-any\.whl", re.ASCII
)


#: Characters that are read at once.
_BLOCK: Final = 1 << 16


class _ForPipError(Exception):
    """Only pip knows what comes of it."""


def wheels_at_hand(
    request: Request, arguments: Arguments, key: Key, config: PipConfig, facts: Interpreter
) -> list[Resolved] | None:
    """Return what pip would say that it installs; ``None`` where it has to be asked.

    Args:
        arguments: those of *request*, sorted.
        key: of it.
        config: pip's configuration.
        facts: about the interpreter of the environment and its pip.
    """
    named = arguments.requirements
    if not named or len(key.archives) < len(named) or not all(name.endswith(".whl") for name in key.archives):
        return None
    if not arguments.has("--no-deps", "--no-dependencies") or Version(facts.pip) not in _PIPS:
        return None
    try:
        constrained = _constrained(request, arguments, config)
        found = [_wheel(os.path.join(request.directory, path), facts) for path in named]
    except (_ForPipError, UnkeyableError):
        return None
    names = {canonicalize_name(item.name) for item in found}
    return found if len(names) == len(found) and names.isdisjoint(constrained) else None


def _constrained(request: Request, arguments: Arguments, config: PipConfig) -> set[str]:
    """Return the canonical names of all distributions that are constrained.

    Raises:
        _ForPipError: something else may decide what is installed.
        UnkeyableError: a file is not understood.
    """
    files: list[str] = []
    for kind, option, value in arguments.options:
        if kind is Kind.CONSTRAINT_FILE and value is not None:
            files.append(value)
        elif (kind is not Kind.OUTPUT and option not in _OPTIONS) or option in _TOLD:
            raise _ForPipError
    for _, setting, value in settings_of(request.environ, config):
        if setting in _CONSTRAINTS:
            files += value.split()
        elif setting not in _SETTINGS or setting == "verbose":
            raise _ForPipError
    return {name for file in files for name in _names(file_named(file, request.directory), request.environ, ())}


def _names(path: str, environ: Mapping[str, str], readers: Sequence[str]) -> Iterator[str]:
    """Yield the canonical names of what the constraint file at *path* constrains, and the files that it names."""
    data = read_file(path)
    if data is None or path in readers:
        raise _ForPipError
    for raw in logical_lines(decode(data, environ, path)):
        line = parse_line(expand(raw, environ, set()), path)
        for option, value in line.options:
            if option is not Option.CONSTRAINT_FILE or value is None:
                raise _ForPipError
            yield from _names(file_named(value, os.path.dirname(path)), environ, (*readers, path))
        if line.requirement:
            try:
                yield canonicalize_name(Requirement(line.requirement).name)
            except InvalidRequirement:
                raise _ForPipError from None


def _wheel(path: str, facts: Interpreter) -> Resolved:
    """Return what pip's report would say of the wheel at *path*.

    Raises:
        _ForPipError: pip may not take it.
    """
    path = os.path.normpath(path)
    file_name = os.path.basename(path)
    if _PLAIN.fullmatch(file_name) is None:
        raise _ForPipError
    try:
        name, version, _, _ = parse_wheel_filename(file_name)
        with zipfile.ZipFile(path) as archive:
            (metadata,) = [
                member
                for member in archive.namelist()
                if member.count("/") == 1 and member.endswith(".dist-info/METADATA")
            ]
            with io.TextIOWrapper(archive.open(metadata), "utf-8", newline="") as stream:
                text = fields_of(iter(lambda: stream.read(_BLOCK), ""))
        if len(text) > FIELDS_LIMIT:
            raise _ForPipError
        fields = Parser().parsestr(text, headersonly=True)
        needs, pythons = fields.get_all("Requires-Python", []), SpecifierSet(fields.get("Requires-Python", ""))
        same = canonicalize_name(fields["Name"]) == name and Version(fields["Version"]) == version
    except (OSError, ValueError, TypeError, InvalidSpecifier, InvalidWheelFilename, zipfile.BadZipFile, zlib.error,
            RuntimeError, NotImplementedError):  # fmt: skip
        raise _ForPipError from None
    plain = re.fullmatch(r"\d+\.\d+\.\d+", facts.version) is not None
    if not same or not plain or len(needs) > 1 or not pythons.contains(facts.version):
        raise _ForPipError
    direct_url = direct_url_of(path, _DIRECT_URL)
    assert direct_url is not None
    about = json.loads(direct_url)
    sha256 = about["archive_info"]["hashes"]["sha256"]
    return Resolved(fields["Name"], fields["Version"], about["url"], Origin.WHEEL, sha256, True, direct_url, (), None)
