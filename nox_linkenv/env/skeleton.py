"""Skeletons: what virtualenv makes of an interpreter, seeds included, kept so that it need not be made again.

How one comes about is told in :mod:`nox_linkenv.env.capture`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.env.interpreter.facts import Facts
from nox_linkenv.env.links import Links
from nox_linkenv.env.paths import check_paths, check_sources
from nox_linkenv.store.layout import SKELETONS
from nox_linkenv.store.notes import rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nox_linkenv.store import Store

__all__ = [
    "HARMLESS",
    "KEPT_PARAMETERS",
    "Skeleton",
    "copies_above",
    "creator",
    "fits",
    "has_pip_only",
    "is_configured",
    "skeleton_name",
    "stored_skeleton",
]

#: Parameters of virtualenv under which the result depends on nothing but the interpreter and virtualenv itself.
KEPT_PARAMETERS: Final = (
    r"--(system-site-packages|symlinks|copies|always-copy|no-setuptools|no-wheel|no-vcs-ignore|no-periodic-update"
    r"|(pip|setuptools|wheel)=bundle|activators=[a-z,]*)"
)
#: Paths which no shell, shebang or configuration file needs to quote; and how long a shebang may be (Linux: 127 bytes).
#: A plus sign is not among them: virtualenv writes another expression for it into xonsh's script since 21.15.
_PLAIN: Final = r"/[A-Za-z0-9_./-]+"
_LONGEST: Final = 127 - len("#!/bin/python3.99\n")
#: Variables of virtualenv which say where it keeps its own data, and nothing of what it makes.
HARMLESS: Final = ("VIRTUALENV_APP_DATA", "VIRTUALENV_OVERRIDE_APP_DATA")
_COPYING: Final = ("--copies", "--always-copy")
_LISTS: Final = ("symlinks", "texts", "copies")


@dataclass(frozen=True, slots=True)
class Skeleton:
    """An environment as virtualenv makes it, before anything is installed.

    Args:
        facts: of its interpreter and pip.
        links: directories to make, and the files of the seeds.
        symlinks: (path, target); targets may hold the placeholders.
        texts: (path, content, executable) of files which every environment has for itself.
        copies: (path, source) of files which are copied.
    """

    facts: Facts
    links: Links
    symlinks: list[tuple[str, str]]
    texts: list[tuple[str, str, bool]]
    copies: list[tuple[str, str]]

    def dumps(self) -> str:
        lists = {name: getattr(self, name) for name in _LISTS}
        return json.dumps(
            {"facts": self.facts.to_json(), "links": self.links.to_json(), **lists}, separators=(",", ":")
        )

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Skeleton:
        """Return the skeleton that :meth:`dumps` wrote as JSON.

        Raises:
            KeyError, TypeError, ValueError: *data* is not one, or it leads out of the environment.
        """
        skeleton = cls(
            facts=Facts.from_json(data["facts"]),
            links=Links.from_json(data["links"]),
            symlinks=rows(data["symlinks"], str, str),
            texts=rows(data["texts"], str, str, bool),
            copies=rows(data["copies"], str, str),
        )
        check_paths(
            skeleton.links.directories,
            skeleton.links.paths,
            [path for path, _ in skeleton.symlinks],
            [path for path, _, _ in skeleton.texts],
            [path for path, _ in skeleton.copies],
            folders=skeleton.links.folders(),
        )
        check_sources([source for _, source in skeleton.copies])
        if not all(target and "\0" not in target for _, target in skeleton.symlinks):
            raise ValueError("a link leads to nothing that has a name")
        return skeleton


def has_pip_only(skeleton: Skeleton) -> bool:
    """Return whether pip is the only distribution that *skeleton* holds."""
    names = [path.rpartition("/")[2] for path in skeleton.links.directories]
    return all(name.startswith("pip-") for name in names if name.endswith(".dist-info"))


def stored_skeleton(store: Store, name: str) -> Skeleton | None:
    """Return the stored skeleton of this *name*, or ``None`` where there is none that can be read."""
    return store.use(name, Skeleton.from_json)


def fits(prefix: str) -> bool:
    """Return whether a stored skeleton gives exactly what virtualenv would make at *prefix*."""
    return (
        sys.platform != "win32"
        and re.fullmatch(_PLAIN, prefix) is not None
        and len(prefix) <= _LONGEST
        and os.path.normpath(prefix) == prefix
        and os.path.realpath(os.path.dirname(prefix)) == os.path.dirname(prefix)
    )


def copies_above(prefix: str, parameters: Sequence[str]) -> bool:
    """Return whether virtualenv may warn of a directory above *prefix*, or refuse it.

    A copied interpreter looks for its standard library there (CPython since 3.11), where others may have put one.
    Source: https://virtualenv.pypa.io/en/latest/changelog.html
    """
    if sys.platform == "win32" or not any(parameter in _COPYING for parameter in parameters):
        return False
    above = os.path.dirname(prefix)
    while above != os.path.dirname(above):
        status = os.stat(above) if os.path.isdir(above) else None
        if status is not None and (status.st_mode & 0o022 or status.st_uid not in (0, os.geteuid())):
            return True
        if any(os.path.lexists(f"{above}/{name}") for name in ("lib", "lib64")):
            return True
        above = os.path.dirname(above)
    return False


def is_configured(environ: Mapping[str, str]) -> bool:
    """Return whether virtualenv reads a configuration file of the user's."""
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.exists(os.path.join(config, "virtualenv", "virtualenv.ini"))


def creator() -> str:
    """Return what else decides how virtualenv makes an environment: its version and the interpreter that runs it.

    The version is read off the name of its metadata directory, which spares the parser of metadata.
    """
    from importlib.util import find_spec

    spec = find_spec("virtualenv")
    origin = spec.origin if spec is not None and spec.origin is not None else ""
    site = os.path.dirname(os.path.dirname(origin)) or "."
    names = sorted(name for name in os.listdir(site) if name.startswith("virtualenv-"))
    return f"{origin} {' '.join(names)} {sys.executable}"


def skeleton_name(
    interpreter: str, parameters: Sequence[str], *, creator: str, environ: Mapping[str, str]
) -> str | None:
    """Return the name under which a skeleton is stored, or ``None`` where it cannot be kept.

    Args:
        interpreter: absolute path of the interpreter asked for.
        parameters: of virtualenv.
        creator: what :func:`creator` gives.
        environ: variables; those of virtualenv decide, too, and so does its configuration file.
    """
    if not all(re.fullmatch(KEPT_PARAMETERS, parameter) for parameter in parameters):
        return None
    if any(name.startswith("VIRTUALENV_") and name not in HARMLESS for name in environ) or is_configured(environ):
        return None
    try:
        real = os.path.realpath(interpreter)
        status = os.stat(real)
    except OSError:
        return None
    key = [interpreter, real, status.st_size, status.st_mtime_ns, list(parameters), creator]
    return SKELETONS.file(hashlib.sha256(json.dumps(key).encode()).hexdigest())
