"""What a request depends on where it names local archives, directories of archives, or indexes on this disk.

Imported only by requests that do.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import TYPE_CHECKING, Final

from nox_linkenv.resolve.archive_digests import ArchiveDigests, tied
from nox_linkenv.resolve.inputs import ABSENT, UnkeyableError, digest, read_file, stamp
from nox_linkenv.resolve.specifiers import ARCHIVES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_linkenv.resolve.inputs import Inputs
    from nox_linkenv.store import Store

__all__ = ["add_archive", "add_find_links", "add_index", "seen_on_path"]

#: Archives up to this many bytes are digested; of larger ones the inode's data must do.
_DIGESTED: Final = 64 << 20
#: Projects in a local index, each of which costs two calls of stat.
_PROJECTS: Final = 10_000
#: Distributions on PYTHONPATH whose metadata are read.
_READ: Final = 20
#: Modules, and packages, that pip or its interpreter imports, or would if they were there.
_IMPORTED: Final = frozenset(
    f"{module}{ending}"
    for module in (
        *sys.stdlib_module_names, "sitecustomize", "usercustomize", "pip", "setuptools", "pkg_resources", "keyring",
        "_distutils_hack", "chardet", "charset_normalizer", "simplejson", "socks", "OpenSSL", "cryptography", "brotli",
        "brotlicffi", "h2", "zstandard", "lockfile", "filelock", "redis", "certifi", "truststore",
    )
    for ending in ("", ".py")
)  # fmt: skip
_LINKS: Final = re.compile(r"href", re.I)
_REMOTE_LINKS: Final = re.compile(r"""href\s*=\s*["']?\s*https?://""", re.I)


def add_archive(inputs: Inputs, path: str) -> None:
    """Add the wheel or sdist at *path*."""
    kind = "wheel" if path.lower().endswith(".whl") else "sdist"
    content = digest(read_file(path) or b"") if os.stat(path).st_size <= _DIGESTED else stamp(path)
    inputs.add(f"local {kind} {inputs.shown(path)}", f"{path}\0{content}")


def add_find_links(inputs: Inputs, path: str, store: Store | None) -> None:
    """Add the directory of archives, or the page of links, at *path*.

    Args:
        store: that remembers the digests of archives.

    Raises:
        UnkeyableError: more than what it lists may depend on it.
    """
    name = f"find-links {inputs.shown(path)}"
    if os.path.isdir(path):
        parts: list[str] = [path]
        try:
            with os.scandir(path) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            raise UnkeyableError(f"{path} cannot be listed") from None
        contents = _contents(path, found, ArchiveDigests(store))
        for entry in found:
            if "htm" in entry.name.lower():
                parts += [entry.name, _page(inputs, entry.path)]
            elif not entry.name.lower().endswith(ARCHIVES):
                continue  # nor does pip look at it
            elif entry.is_dir():
                raise UnkeyableError(f"{entry.path} may be taken for an archive")
            else:
                parts += [entry.name, contents.get(entry.name) or stamp(entry.path)]
        inputs.add(f"{name}/", "\0".join(parts))
    elif os.path.isfile(path):
        page = "htm" in os.path.basename(path).lower()
        inputs.add(name, f"{path}\0{_page(inputs, path) if page else stamp(path)}")
    else:
        inputs.add(name, ABSENT)


def _contents(directory: str, entries: Sequence[os.DirEntry[str]], digests: ArchiveDigests) -> dict[str, str]:
    """Return the digests of those archives among the *entries* of *directory* of which nothing else counts."""
    files = {}
    for entry in entries:
        if entry.name.lower().endswith(ARCHIVES) and entry.is_file():
            with contextlib.suppress(OSError):
                files[entry.name] = entry.stat()
    alike = tied(files)
    return digests.of(directory, {name: status for name, status in files.items() if name not in alike})


def _page(inputs: Inputs, path: str) -> str:
    """Return the digest of the page of links at *path*, which must name no local files."""
    data = read_file(path) or b""
    text = data.decode("latin-1")
    if "<base" in text.lower() or len(_LINKS.findall(text)) != len(_REMOTE_LINKS.findall(text)):
        raise UnkeyableError(f"{inputs.shown(path)} may link to local files")
    return digest(data)


def add_index(inputs: Inputs, path: str) -> None:
    """Add the index in the directory *path*, as it shows in the inodes of its pages.

    pip reads the pages of the projects it meets, and which these are is not known here: so all count.  A file that
    a page links to is not looked at: where the page gives no hash of it, it could be another one under its name.

    Raises:
        UnkeyableError: it cannot be looked through.
    """
    name = f"local index {inputs.shown(path)}"
    try:
        with os.scandir(path) as entries:
            projects = sorted(entry.name for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        inputs.add(name, ABSENT)
        return
    except OSError:
        raise UnkeyableError(f"{path} cannot be listed") from None
    if len(projects) > _PROJECTS:
        raise UnkeyableError(f"the local index {path} is too large to be checked")
    parts = [path]
    for project in projects:
        directory = f"{path}{os.sep}{project}"
        parts += [project, stamp(directory), stamp(f"{directory}{os.sep}index.html")]
    inputs.add(name, "\0".join(parts))


def seen_on_path(value: str, directory: str) -> str:
    """Return what pip, run in *directory*, finds where PYTHONPATH with this *value* leads.

    That is the distributions there, by their metadata, wherever they lie.  Where a module could be one that pip itself
    imports, or there are more distributions than are worth reading, the place counts, and how they look.
    """
    parts = []
    for entry in value.split(os.pathsep):
        path = os.path.join(directory, entry)
        try:
            names = sorted(os.listdir(path))
        except FileNotFoundError:
            parts.append(ABSENT)
            continue
        except OSError:
            parts += [path, stamp(path)]
            continue
        found = [name for name in names if name.endswith((".dist-info", ".egg-info", ".egg", ".egg-link"))]
        plain = len(found) <= _READ and all(map(_is_directory_of_metadata, found)) and _IMPORTED.isdisjoint(names)
        parts.append("distributions" if plain else path)
        for name in found:
            files = [os.path.join(path, name, file) for file in ("METADATA", "PKG-INFO")]
            parts.append(name)
            if plain:
                files += [os.path.join(path, name), os.path.join(path, name, "direct_url.json")]
                parts += [ABSENT if data is None else digest(data) for data in map(read_file, files)]
            else:
                parts += [stamp(os.path.join(path, name)), *map(stamp, files)]
    return "\0".join(parts)


def _is_directory_of_metadata(name: str) -> bool:
    return name.endswith((".dist-info", ".egg-info"))
