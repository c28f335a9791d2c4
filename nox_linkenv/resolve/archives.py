"""Wheels and sdists that are named by their paths, as hosts name the package they have just built.

Such an archive lies at another path in each run, and its bytes differ by the dates in it.  What pip answers depends on
neither but for one thing: ``direct_url.json`` names the path and the digest.  So the request is known by the archive's
name and members, and that file is written for the archive at hand.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin
from urllib.request import pathname2url

from nox_linkenv.resolve.inputs import digest, read_file

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["direct_url_of", "members_digest", "moved"]

try:
    from lzma import LZMAError
except ImportError:  # a Python that was built without it, and reads no such archive
    LZMAError = zlib.error  # type: ignore[misc, assignment]

#: Archives up to this many bytes are looked through; larger ones are known by path and content.
_LIMIT: Final = 64 << 20
_BLOCK: Final = 1 << 20


def members_digest(path: str) -> str | None:
    """Return a digest of all members of the archive at *path* in their order: names, kinds, modes, contents.

    Dates do not count.  ``None`` where the archive is large, or cannot be read as one.
    """
    try:
        if os.path.getsize(path) > _LIMIT:
            return None
        return _zip_digest(path) if path.lower().endswith((".whl", ".zip")) else _tar_digest(path)
    except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, tarfile.TarError,
            zlib.error, LZMAError):  # fmt: skip
        return None


def _zip_digest(path: str) -> str | None:
    hashed, left = hashlib.sha256(), _LIMIT * 4
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            hashed.update(f"{member.filename}\0{member.create_system} {member.external_attr:x} ".encode())
            left -= member.file_size
            if left < 0:
                return None
            with archive.open(member) as stream:
                hashed.update(_digest_of(stream))
    return hashed.hexdigest()


def _tar_digest(path: str) -> str | None:
    hashed, left = hashlib.sha256(), _LIMIT * 4
    with tarfile.open(path) as archive:
        for member in archive:
            kind = member.type.decode("latin-1")
            hashed.update(
                f"{member.name}\0{kind} {member.mode:o} {member.linkname}\0".encode("utf-8", "surrogateescape")
            )
            left -= member.size
            if left < 0:
                return None
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None:
                hashed.update(_digest_of(stream))
    return hashed.hexdigest()


def _digest_of(stream: Any) -> bytes:
    hashed = hashlib.sha256()
    while block := stream.read(_BLOCK):
        hashed.update(block)
    return hashed.digest()


def direct_url_of(path: str, template: str) -> str | None:
    """Return the ``direct_url.json`` of the archive at *path*, in the form of *template*, which is that of another.

    Source: https://packaging.python.org/en/latest/specifications/direct-url-data-structure/

    Returns:
        ``None`` where *template* is not that of an archive known by its SHA-256 alone.
    """
    found = digest(read_file(path) or b"")
    info: dict[str, Any] = json.loads(template)
    archive: dict[str, Any] = info.get("archive_info", {})
    if info.keys() != {"archive_info", "url"} or not archive.keys() <= {"hash", "hashes"}:
        return None
    if archive.get("hashes", {"sha256": ""}).keys() != {"sha256"}:
        return None
    new: dict[str, Any] = {}
    if "hash" in archive:
        new["hash"] = f"sha256={found}"
    if "hashes" in archive:
        new["hashes"] = {"sha256": found}
    # Since Python 3.14 the empty authority is in what pathname2url returns, before that it is not.
    return json.dumps({"archive_info": new, "url": urljoin("file://", pathname2url(path))}, sort_keys=True)


def moved(archives: Mapping[str, str], names: Mapping[str, str], templates: Mapping[str, str]) -> dict[str, str]:
    """Return the contents of ``direct_url.json`` files for archives that lie elsewhere now.

    Args:
        archives: absolute path of each archive by its name.
        names: name of the archive by the path of the file in the environment.
        templates: content of those files as they were for the archives before.

    Raises:
        ValueError: a template is not one.
    """
    found = {}
    for path, name in names.items():
        text = direct_url_of(archives[name], templates[path])
        if text is None:
            raise ValueError(f"{path} is not that of an archive")
        found[path] = text
    return found
