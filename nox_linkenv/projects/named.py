"""The forms in which a requirement names a local project: its path, or a ``file:`` URL, with extras and a marker."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final

__all__ = ["LocalProject", "local_project"]

_SEPARATORS: Final = tuple(filter(None, (os.sep, os.altsep)))
_EXTRAS: Final = re.compile(r"(.+?)\s*(\[[^\]]*\])")
#: A URL that is noted as it stands: nothing in it is encoded, and it has neither a host nor a fragment.
_URL: Final = re.compile(r"file://(/[\w./+~-]+)", re.ASCII)
#: One that is relative to the directory that pip runs in.
_RELATIVE: Final = re.compile(r"file:([\w.+-][\w./+-]*)", re.ASCII)
_DIRECT: Final = re.compile(r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(\[[^\]]*\])?\s*@\s*(file:\S+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class LocalProject:
    """A directory that is to be built and installed.

    Args:
        path: real path.
        editable: whether in editable mode.
        named: the path as it was written, maybe relative to the directory that pip would run in.
        extras: with their brackets.
        configured: whether settings for its backend are given.
        url: as it was written, empty where it was a path.
        name: of the distribution, where it was written before the URL.
        marker: for which environments; empty for all.
        sdist: name of the sdist that it was unpacked from for a moment; empty where it lies there by itself.
    """

    path: str
    editable: bool
    named: str
    extras: str
    configured: bool = False
    url: str = ""
    name: str = ""
    marker: str = ""
    sdist: str = ""

    @property
    def plainly_editable(self) -> bool:
        """Whether it is to be editable in the way that its backend has without settings."""
        return self.editable and not self.configured

    @property
    def noted_as(self) -> tuple[str, ...]:
        """What its relative URL may have become where pip notes it, which its Python decides; empty for any other."""
        found = _RELATIVE.fullmatch(self.url)
        return () if found is None else (f"file:///{found[1]}", f"file:{found[1]}")


def local_project(requirement: str, directory: str, *, editable: bool) -> LocalProject | None:
    """Return the local project that *requirement* names, as pip tells: a directory, and no mere word.

    Source: https://pip.pypa.io/en/stable/cli/pip_install/#argument-handling

    Args:
        requirement: an argument, or a line of a requirement file.
        directory: absolute path of the directory that pip would run in.
        editable: whether it is the value of ``-e``.
    """
    text, marker = requirement, ""
    if not editable and ";" in requirement:
        # pip looks for a marker after a URL only behind a blank, as a semicolon may be part of it.
        separator = "; " if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", requirement) or "@" in requirement else ";"
        text, _, marker = (part.strip() for part in requirement.partition(separator))
    if "file:" in text:
        return _by_url(text, marker, directory, editable=editable)
    found = _EXTRAS.fullmatch(text)
    name, extras = (found[1], found[2]) if found else (text, "")
    path = os.path.join(directory, name)
    if not editable and not name.startswith(".") and not any(separator in name for separator in _SEPARATORS):
        return None
    if not os.path.isdir(path):
        return None
    return LocalProject(os.path.realpath(path), editable, name, extras, marker=marker)


def _by_url(text: str, marker: str, directory: str, *, editable: bool) -> LocalProject | None:
    name = extras = ""
    if not editable and (direct := _DIRECT.fullmatch(text)) is not None:
        name, extras, text = direct[1], direct[2] or "", direct[3]
    relative = None if editable else _RELATIVE.fullmatch(text)
    if relative is not None and os.path.isdir(place := os.path.join(directory, relative[1])):
        return LocalProject(os.path.realpath(place), editable, relative[1], extras, url=text, name=name, marker=marker)
    found = _URL.fullmatch(text)
    if found is None or os.path.normpath(found[1]) != found[1] or not os.path.isdir(found[1]):
        return None
    path = os.path.realpath(found[1])
    return LocalProject(path, editable, found[1], extras, url=text, name=name, marker=marker)
