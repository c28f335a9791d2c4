"""Archives as the product writes them, and as somebody else may."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Final

from nox_linkenv.store import Store
from nox_linkenv.transfer.container import Archive, Contents, Pack, compressed, footer, header, index_of
from nox_linkenv.transfer.take_in import TakenIn, take_in
from nox_linkenv.transfer.zstd import frame_of
from tests.cli.tool import linkenv

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.provision.tool import Site

__all__ = ["exported", "members", "notes_in", "taken_in", "written"]

_numbers: Final = itertools.count()
#: Directories of a store that hold notes by which something is installed.
_NOTES: Final = ("wheels", "plans", "skeletons", "resolutions", "pages", "projects", "interpreters")


def exported(site: Site, *arguments: str) -> Path:
    """Return a new archive that ``linkenv export`` has written."""
    path = site.root / f"archive-{next(_numbers)}"
    linkenv(site, "export", *arguments, str(path))
    return path


def taken_in(site: Site, archive: Path) -> TakenIn:
    """Take *archive* into the site's store, in this process."""
    return take_in(Store.open(site.store), str(archive), progress=lambda _: None)


def members(archive: Path) -> dict[str, bytes]:
    """Return the contents of all that is in *archive*, by name."""
    found = {}
    opened = Archive(str(archive))
    for pack in opened.packs:
        with opened.body(pack) as body:
            for member in opened.members(pack):
                found[member.name] = b"".join(body.blocks(member.size))
            body.finish()
    return found


def written(path: Path, packs: Sequence[tuple[Contents, Sequence[tuple[str, bytes]]]]) -> Path:
    """Write an archive with right digests of whatever is in *packs*."""
    rows, data = [], header()
    for contents, entries in packs:
        head = compressed([[name, len(content)] for name, content in entries])
        whole = b"".join(content for _, content in entries)
        body = frame_of(whole)
        rows.append(
            Pack(contents, len(data), len(head), len(body), len(whole), hashlib.sha256(head).hexdigest()),
        )
        data += head + body
    index = index_of(rows)
    path.write_bytes(data + index + footer(index))
    return path


def notes_in(base: Path) -> dict[str, bytes]:
    """Return the notes in the format directory *base* by which something is installed."""
    paths = (path for name in _NOTES for path in (base / name).rglob("*.json"))
    return {path.relative_to(base).as_posix(): path.read_bytes() for path in paths}
