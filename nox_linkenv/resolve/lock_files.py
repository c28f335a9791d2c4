"""Searching lock files and dependency groups for what a request would depend on besides them.

Sources: https://packaging.python.org/en/latest/specifications/pylock-toml/ and
https://packaging.python.org/en/latest/specifications/dependency-groups/
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from nox_linkenv.resolve.inputs import UnkeyableError
from nox_linkenv.resolve.specifiers import specifier
from nox_linkenv.toml import parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_lock", "check_project"]

_ESCAPE: Final = re.compile(r"\\[uUxX]")
_LOCAL_KEY: Final = re.compile(r"""(?:^|[{,.\[])\s*["']?(?:path|vcs|directory)["']?\s*[=.\]]""", re.MULTILINE)
_URL_KEY: Final = re.compile(r"""\burl["']?\s*=\s*["']""")
_REMOTE_KEY: Final = re.compile(r"""\burl["']?\s*=\s*["']https?://""")
_HASHES: Final = re.compile(r"""\bhashes["']?\s*=\s*\{[^}]*\bsha(?:256|384|512)["']?\s*=""")
_OTHER_URL: Final = re.compile(r"@[\s\\btnfr]*(?!https?:)[A-Za-z][A-Za-z0-9+.-]*:")


def check_lock(text: str, shown: str) -> bool:
    """Return whether every artifact in the lock file *text* is hashed.

    The text is only searched: reading it as TOML takes longer than all the rest, and where the search is in doubt
    pip is asked.

    Raises:
        UnkeyableError: it may name local projects, local files or a VCS.
    """
    urls = len(_URL_KEY.findall(text))
    if _ESCAPE.search(text) or _LOCAL_KEY.search(text) or len(_REMOTE_KEY.findall(text)) != urls:
        raise UnkeyableError(f"{shown} may name local files or a version control system")
    return 0 < urls == len(_HASHES.findall(text))


def check_project(text: str, shown: str, group: str) -> None:
    """Check that the dependency *group* in the ``pyproject.toml`` *text* names no local project and no VCS.

    The text is read as TOML only where something in it looks as if it did.

    Raises:
        UnkeyableError: it may.
    """
    if _ESCAPE.search(text) is None and _OTHER_URL.search(text) is None:
        return
    for requirement in _requirements(text, shown, group):
        try:
            found = specifier(requirement, os.sep)
        except UnkeyableError as error:
            raise UnkeyableError(f"the group {group} in {shown}: {error.reason}") from None
        if found.path is not None:
            raise UnkeyableError(f"the group {group} in {shown} names a file on this disk")


def _requirements(text: str, shown: str, group: str) -> Iterator[str]:
    """Yield the requirements of *group* and of the groups that it includes.

    Raises:
        UnkeyableError: pip refuses it, or may read it otherwise.
    """
    try:
        groups = parse_toml(text).get("dependency-groups")
    except ValueError:
        groups = None
    if not isinstance(groups, dict):
        raise UnkeyableError(f"{shown} has no dependency groups")
    named = {_normal(name): members for name, members in groups.items()}
    wanted, seen = [_normal(group)], set()
    while wanted:
        name = wanted.pop()
        members = named.get(name)
        if not isinstance(members, list) or len(named) < len(groups):
            raise UnkeyableError(f"the group {name} in {shown} is not understood")
        seen.add(name)
        for member in members:
            if isinstance(member, str):
                yield member
            elif isinstance(member, dict) and isinstance(included := member.get("include-group"), str):
                wanted += {_normal(included)} - seen
            else:
                raise UnkeyableError(f"the group {name} in {shown} is not understood")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
