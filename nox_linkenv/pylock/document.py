"""The text of a lock file for one environment.

Source: https://packaging.python.org/en/latest/specifications/pylock-toml/
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
from typing import TYPE_CHECKING, Any, Final

from packaging.version import Version

from nox_linkenv.errors import EnvError, ResolutionError
from nox_linkenv.pylock.sources import Source, local_path
from nox_linkenv.resolve.specifiers import bare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nox_linkenv.env.interpreter.facts import Facts
    from nox_linkenv.pylock.standing import Part

__all__ = ["document", "ensure_writers", "has_hash", "is_local"]

_VERSION: Final = "1.0"
_MAKER: Final = "nox-linkenv"


def ensure_writers() -> tuple[Any, Any]:
    """Return the modules ``packaging.pylock`` and ``tomli_w``.

    Raises:
        EnvError: one is not there, or too old.
    """
    try:
        return importlib.import_module("packaging.pylock"), importlib.import_module("tomli_w")
    except ImportError as error:
        raise EnvError(
            f"Lock files are checked by packaging 26 and written by tomli-w; here it is: {error}",
            remedy="Install nox-linkenv[lock], or packaging>=26 and tomli-w beside it.",
        ) from error


def is_local(part: Part) -> bool:
    """Return whether *part* comes from a directory of this machine."""
    return part.direct is not None and "dir_info" in part.direct


def has_hash(part: Part) -> bool:
    """Return whether *part* is an archive, and neither a directory nor a commit."""
    return part.direct is None or "archive_info" in part.direct


def document(parts: Sequence[Part], source: Callable[[Part], Source], facts: Facts, directory: str) -> tuple[str, int]:
    """Return the text of a lock file in *directory* (absolute path), and how many packages it has.

    Equal parts give equal texts.

    Args:
        parts: what is locked.
        source: gives the archive of one that has none in its ``direct_url.json``; raises EnvError where it is unknown.
        facts: of the interpreter that it is for.

    Raises:
        EnvError: it is not known where a part comes from.
        ResolutionError: what is known makes no valid lock file.
    """
    pylock, tomli_w = ensure_writers()
    packages = [_package(part, source, directory) for part in sorted(parts)]
    data = {"lock-version": _VERSION, **_environment(facts), "created-by": _MAKER, "packages": packages}
    try:
        checked = pylock.Pylock.from_dict(data).to_dict()
    except pylock.PylockValidationError as error:
        raise ResolutionError(
            f"What is remembered makes no valid lock file ({error})", remedy="Please report this."
        ) from error
    text: str = tomli_w.dumps(checked)
    return text, len(packages)


def _environment(facts: Facts) -> dict[str, Any]:
    """Return which environments the lock is for: pip answered for this interpreter on this platform, and no other."""
    version = Version(facts.version)
    minor = f"{version.major}.{version.minor}"
    markers = {
        "python_version": minor,
        "implementation_name": facts.cache_tag.partition("-")[0],
        "sys_platform": sys.platform,
        "platform_machine": platform.machine(),
    }
    found: dict[str, Any] = {"environments": [" and ".join(f'{name} == "{markers[name]}"' for name in markers)]}
    if not version.is_prerelease:  # no range takes a prerelease in, unless it names one
        found["requires-python"] = f"=={minor}.*"
    return found


def _package(part: Part, source: Callable[[Part], Source], directory: str) -> dict[str, Any]:
    direct = part.direct
    if direct is not None and "dir_info" in direct:
        place: dict[str, Any] = {"path": _relative(local_path(direct["url"]) or "", directory), **_subdirectory(direct)}
        editable = {"editable": True} if direct["dir_info"].get("editable") else {}
        return {"name": part.name, "directory": {**place, **editable}}
    if direct is not None and "vcs_info" in direct:
        info = direct["vcs_info"]
        revision = {"requested-revision": info["requested_revision"]} if info.get("requested_revision") else {}
        vcs = {"type": info["vcs"], "url": _repository(direct["url"]), **revision, "commit-id": info["commit_id"]}
        return {"name": part.name, "vcs": {**vcs, **_subdirectory(direct)}}
    if direct is not None:
        digest = _digest(direct) or source(part).sha256
        place = {**_place(bare(direct["url"]), directory), "hashes": {"sha256": digest}}
        return {"name": part.name, "version": part.version, "archive": {**place, **_subdirectory(direct)}}
    found = source(part)
    file = {"name": found.file_name, **_place(found.url, directory), "hashes": {"sha256": found.sha256}}
    kind: dict[str, Any] = {"wheels": [file]} if found.is_wheel else {"sdist": file}
    return {"name": part.name, "version": part.version, **kind}


def _repository(url: str) -> str:
    """Return *url* without secrets: the user ``git`` is none, and ssh needs it (PEP 610)."""
    user = "git@" if "://git@" in url else ""
    return bare(url).replace("://", f"://{user}", 1)


def _digest(direct: dict[str, Any]) -> str | None:
    """Return the SHA-256 that a ``direct_url.json`` has, in the new form or the old one."""
    info = direct.get("archive_info", {})
    found: str | None = info.get("hashes", {}).get("sha256")
    name, _, digest = str(info.get("hash", "")).partition("=")
    return found or (digest if name == "sha256" else None)


def _subdirectory(direct: dict[str, Any]) -> dict[str, str]:
    return {"subdirectory": direct["subdirectory"]} if direct.get("subdirectory") else {}


def _place(url: str, directory: str) -> dict[str, str]:
    path = local_path(url)
    return {"url": url} if path is None else {"path": _relative(path, directory)}


def _relative(path: str, directory: str) -> str:
    """Return *path* relative to the *directory* of the lock, with ``/``."""
    return os.path.relpath(path, directory).replace(os.sep, "/")
