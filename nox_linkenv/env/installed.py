"""What is installed in an environment, and taking it out again as pip does."""

from __future__ import annotations

import configparser
import contextlib
import csv
import hashlib
import json
import os
import re
import shutil
from typing import TYPE_CHECKING, Final, NamedTuple

from packaging.utils import canonicalize_name

from nox_linkenv.digest import file_digest, is_derived
from nox_linkenv.errors import EnvError
from nox_linkenv.wheel.model import Scheme

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nox_linkenv.env.interpreter.facts import Facts

__all__ = ["Distribution", "InstalledPip", "find_distributions", "installed_digest", "installed_pip", "uninstall"]

#: Names of what tells that a pip is there.
_PIP: Final = r"(?i)pip(-\d[^-]*(-py[\d.]+)?)?\.(dist-info|egg-info|egg|egg-link)"


class Distribution(NamedTuple):
    """A distribution found in an environment.

    Args:
        name: canonical name.
        info: its metadata directory or file, relative to the environment.
        removable: whether its RECORD tells what belongs to it.
    """

    name: str
    info: str
    removable: bool


def find_distributions(prefix: str, facts: Facts) -> Iterator[Distribution]:
    """Yield the distributions in the site-packages of the environment at *prefix*."""
    for directory in facts.site_packages:
        for entry in sorted(_listed(f"{prefix}/{directory}")):
            stem, suffix = os.path.splitext(entry)
            info = f"{directory}/{entry}"
            if suffix == ".dist-info":
                removable = os.path.isfile(f"{prefix}/{info}/RECORD")
                yield Distribution(canonicalize_name(stem.partition("-")[0]), info, removable)
            elif suffix in (".egg-info", ".egg", ".egg-link"):
                yield Distribution(canonicalize_name(stem.partition("-")[0]), info, False)


class InstalledPip(NamedTuple):
    """The pip of an environment.

    Attributes:
        version: as the name of its metadata directory has it.
        info: that directory, relative to the environment.
    """

    version: str
    info: str

    @property
    def reports(self) -> bool:
        """Whether it can say what it would install, in a form that stays (``--dry-run --report``, since pip 23.0).

        Source: https://pip.pypa.io/en/stable/reference/installation-report/
        """
        major = self.version.partition(".")[0]
        return major.isdecimal() and int(major) >= 23


def installed_pip(prefix: str, facts: Facts) -> InstalledPip | None:
    """Return the pip of the environment at *prefix*, ``None`` where that is not plainly one that was installed."""
    found = [
        (directory, name)
        for directory in facts.site_packages
        for name in _listed(f"{prefix}/{directory}")
        if name.lower().startswith("pip") and re.fullmatch(_PIP, name) is not None
    ]
    if len(found) != 1 or not found[0][1].endswith(".dist-info"):
        return None
    directory, name = found[0]
    info = f"{directory}/{name}"
    with contextlib.suppress(OSError), open(f"{prefix}/{info}/direct_url.json", encoding="utf-8") as stream:
        if "dir_info" in stream.read():  # a directory whose code changes
            return None
    return InstalledPip(name.partition("-")[2].removesuffix(".dist-info"), info)


def _listed(directory: str) -> list[str]:
    """Return the names in *directory*, none where there is none."""
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []


def installed_digest(prefix: str, facts: Facts) -> str | None:
    """Return a digest of all that pip takes into account of what is installed in the environment at *prefix*.

    Returns ``None`` where packages from outside of the environment are visible in it.
    """
    with open(f"{prefix}/pyvenv.cfg", encoding="utf-8") as stream:
        for line in stream:
            name, _, value = line.partition("=")
            if name.strip() == "include-system-site-packages" and value.strip() != "false":
                return None
    found: list[list[object]] = []
    for directory in facts.site_packages:
        found.extend(
            [name, *_stamp(f"{prefix}/{directory}/{name}")]
            for name in sorted(_listed(f"{prefix}/{directory}"))
            if name.endswith((".dist-info", ".egg-info", ".egg", ".egg-link"))
        )
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _stamp(info: str) -> Iterator[object]:
    """Yield what tells one metadata directory from another: METADATA and the direct URL.

    A linked METADATA is known by its size and date, which is that of its content.  What pip or virtualenv has written
    has another date in each environment, and is read.
    """
    try:
        if info.endswith(".dist-info"):
            status = os.stat(f"{info}/METADATA")
            derived = is_derived(status.st_mtime_ns)
            yield from (status.st_size, status.st_mtime_ns if derived else _content(f"{info}/METADATA"))
        else:
            status = os.stat(info)
            yield from (status.st_size, status.st_mtime_ns)
        with open(f"{info}/direct_url.json", encoding="utf-8") as stream:
            yield stream.read()
    except OSError:
        yield None


def _content(path: str) -> str:
    with open(path, "rb") as stream:
        return file_digest(stream)


def uninstall(prefix: str, distribution: Distribution, facts: Facts) -> None:
    """Remove what pip would remove: files in RECORD, their bytecode, scripts of entry points, and whole directories.

    Entries that are outside of the environment, also by way of a symlink, are left alone.  A directory goes when no
    file in it stays; one that has none of the distribution's files directly in it stays, empty or not.

    Raises:
        EnvError: it has no RECORD, or a file cannot be removed.
    """
    site = f"{prefix}/{os.path.dirname(distribution.info)}"
    try:
        with open(f"{prefix}/{distribution.info}/RECORD", encoding="utf-8", newline="") as stream:
            listed = [f"{site}/{row[0]}" for row in csv.reader(stream) if row and not os.path.isabs(row[0])]
        scripts = f"{prefix}/{facts.schemes[Scheme.SCRIPTS]}"
        listed += [f"{scripts}/{name}" for name in _scripts(f"{prefix}/{distribution.info}/entry_points.txt")]
        victims = set(_inside(prefix, listed, facts))
        directories = _emptied(victims)
        for directory in directories:
            shutil.rmtree(directory)
        for path in victims:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(path)
    except OSError as error:
        raise EnvError(
            f"{distribution.name} cannot be uninstalled ({error.strerror})",
            path=error.filename or f"{prefix}/{distribution.info}",
            remedy="Let the environment be made anew.",
        ) from error


def _scripts(path: str) -> Iterator[str]:
    """Yield the names of console and GUI scripts, which pip removes even where RECORD does not list them."""
    parser = configparser.ConfigParser(delimiters=("=",), strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    with contextlib.suppress(configparser.Error, UnicodeDecodeError):
        parser.read(path, encoding="utf-8")
        for group in ("console_scripts", "gui_scripts"):
            if parser.has_section(group):
                yield from (name for name in parser[group] if "/" not in name)


def _inside(prefix: str, listed: Iterable[str], facts: Facts) -> Iterator[str]:
    """Yield the existing files among *listed*, and their bytecode, that lie in the environment, symlinks followed."""
    root = os.path.realpath(prefix) + os.sep
    real: dict[str, str] = {}
    for name in listed:
        for path in (os.path.normpath(name), *_bytecode(os.path.normpath(name), facts)):
            directory, base = os.path.split(path)
            if directory not in real:
                real[directory] = os.path.realpath(directory)
            path = os.path.join(real[directory], base)
            if path.startswith(root) and (os.path.isfile(path) or os.path.islink(path)):
                yield path


def _emptied(victims: set[str]) -> list[str]:
    """Return the topmost directories in which no file stays once *victims* are gone."""
    found: list[str] = []
    for directory in sorted({os.path.dirname(path) for path in victims}, key=len):
        if directory.startswith(tuple(f"{top}{os.sep}" for top in found)):
            continue
        if all(os.path.join(top, name) in victims for top, _, files in os.walk(directory) for name in files):
            found.append(directory)
    return found


def _bytecode(path: str, facts: Facts) -> Iterator[str]:
    """Yield where bytecode of the module at *path* may lie: in ``__pycache__`` (PEP 3147) or beside it."""
    if path.endswith(".py"):
        directory, name = os.path.split(path)
        yield os.path.join(directory, "__pycache__", f"{name[:-3]}.{facts.cache_tag}.pyc")
        yield from (f"{path}c", f"{path}o")
