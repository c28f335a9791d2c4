"""Searching lock files and dependency groups for what a request would depend on besides them.

Sources: https://packaging.python.org/en/latest/specifications/pylock-toml/ and
https://packaging.python.org/en/latest/specifications/dependency-groups/
"""

from __future__ import annotations

import re
from typing import Final

from nox_linkenv.resolve.inputs import UnkeyableError

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


def check_project(text: str, shown: str) -> None:
    """Check that no dependency group in the ``pyproject.toml`` *text* can name a local project or a VCS.

    Raises:
        UnkeyableError: one may.
    """
    if _ESCAPE.search(text) or _OTHER_URL.search(text):
        raise UnkeyableError(f"{shown} may name local files or a version control system")
