"""Pip's installation report: the resolution of a request in pip's own words.

Source: https://pip.pypa.io/en/stable/reference/installation-report/ and, for ``download_info``,
https://packaging.python.org/en/latest/specifications/direct-url-data-structure/
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from nox_linkenv.errors import ResolutionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FIELDS", "Origin", "Resolved", "file_name_in", "parse_report"]

#: Fields of METADATA that can change what else is installed.
FIELDS: Final = ("Name", "Version", "Requires-Dist", "Provides-Extra", "Requires-Python")


class Origin(enum.Enum):
    """What a distribution is installed from."""

    WHEEL = "wheel"
    SDIST = "sdist"
    DIRECTORY = "directory"
    EDITABLE = "editable"
    VCS = "vcs"


def file_name_in(url: str) -> str:
    """Return the last part of the path in *url*, which names no other directory."""
    return unquote(urlsplit(url).path).replace("\\", "/").rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Resolved:
    """One distribution that pip would install.

    Args:
        name, version: as its metadata writes them.
        url: where it comes from, without credentials.
        origin: what it comes from.
        sha256: hexadecimal digest of the archive, where pip knows it.
        requested: whether the user named it.
        direct_url: content of ``direct_url.json`` where the user named a URL or path.
        extras: requested extras, for an editable.
        commit: identifier of the VCS commit.
        moves: whether the same URL may stand for something else another time: a directory, a branch, a tag.
        metadata: of a directory, what pip has found in METADATA that can change what else is installed: the values of
            each of :data:`FIELDS`, sorted.
    """

    name: str
    version: str
    url: str
    origin: Origin
    sha256: str | None
    requested: bool
    direct_url: str | None
    extras: tuple[str, ...]
    commit: str | None
    moves: bool = False
    metadata: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def path(self) -> str | None:
        """The local path of a ``file:`` URL."""
        parts = urlsplit(self.url)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
            return None
        return unquote(parts.path)

    @property
    def file_name(self) -> str:
        """See :func:`file_name_in`."""
        return file_name_in(self.url)

    def requirement(self) -> str:
        """Return a requirement that names exactly this, for pip to fetch or build."""
        if self.commit is not None:
            info: dict[str, Any] = json.loads(self.direct_url or "{}")
            fragment = f"#subdirectory={info['subdirectory']}" if "subdirectory" in info else ""
            url = self.url.replace(" ", "%20")  # pip's report has it unquoted, and a requirement ends at a blank
            return f"{self.name} @ {info['vcs_info']['vcs']}+{url}@{self.commit}{fragment}"
        parts = urlsplit(self.url)
        fragments = [parts.fragment] if parts.fragment else []
        if self.sha256 is not None and "sha256=" not in parts.fragment:
            fragments.append(f"sha256={self.sha256}")
        base = parts._replace(fragment="").geturl()
        return f"{self.name} @ {base}" + (f"#{'&'.join(fragments)}" if fragments else "")


def parse_report(text: str) -> list[Resolved]:
    """Return what pip's report *text* says would be installed.

    Raises:
        ResolutionError: the report has another format than the one that is known.
    """
    try:
        report = json.loads(text)
        if report["version"] != "1":
            raise ResolutionError(
                f"pip's installation report has the unknown version {report['version']}",
                remedy="Upgrade nox-linkenv.",
            )
        return [_resolved(item) for item in report["install"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ResolutionError(
            f"pip's installation report cannot be read ({error!r})",
            remedy="Upgrade nox-linkenv.",
        ) from error


def _resolved(item: Mapping[str, Any]) -> Resolved:
    info: Mapping[str, Any] = item["download_info"]
    url: str = info["url"]
    commit = None
    sha256 = None
    if "vcs_info" in info:
        origin = Origin.VCS
        commit = info["vcs_info"]["commit_id"]
    elif "dir_info" in info:
        origin = Origin.EDITABLE if info["dir_info"].get("editable") else Origin.DIRECTORY
    else:
        origin = Origin.WHEEL if urlsplit(url).path.endswith(".whl") else Origin.SDIST
        archive = info.get("archive_info", {})
        sha256 = archive.get("hashes", {}).get("sha256")
        legacy: str = archive.get("hash", "")
        if sha256 is None and legacy.startswith("sha256="):
            sha256 = legacy.removeprefix("sha256=")
    return Resolved(
        name=item["metadata"]["name"],
        version=item["metadata"]["version"],
        url=url,
        origin=origin,
        sha256=sha256,
        requested=item["requested"],
        direct_url=json.dumps(info, sort_keys=True) if item["is_direct"] else None,
        extras=tuple(item.get("requested_extras", ())),
        commit=commit,
        moves="dir_info" in info or (commit is not None and info["vcs_info"].get("requested_revision") != commit),
        metadata=_deciding(item["metadata"]) if "dir_info" in info else {},
    )


def _deciding(metadata: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the values of :data:`FIELDS` in the JSON form of *metadata* (PEP 566)."""
    values = {name: metadata.get(name.lower().replace("-", "_"), []) for name in FIELDS}
    return {name: sorted([value] if isinstance(value, str) else value) for name, value in values.items()}
