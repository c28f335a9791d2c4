"""What a note refers to: files of the store, wheels, pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_linkenv.env.bytecode import Bytecode
from nox_linkenv.env.plan import Plan
from nox_linkenv.env.skeleton import Skeleton
from nox_linkenv.projects.build_cache import Build, ProjectResolution
from nox_linkenv.store.layout import object_name
from nox_linkenv.store.manifest import Manifest
from nox_linkenv.transfer.members import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.resolve.cache import Reading
    from nox_linkenv.transfer.members import Carried

__all__ = ["files_of", "pages_of", "sizes_of", "wheels_of"]


def files_of(entry: Carried | None) -> Iterator[str]:
    """Yield the files that *entry* names, relative to the format directory."""
    if isinstance(entry, Manifest):
        yield from (object_name(file.address) for file in entry.files)
    elif isinstance(entry, Plan):
        yield from (*entry.links.sources, *(source for _, source in (*entry.shebangs, *entry.copies)))
    elif isinstance(entry, Skeleton):
        yield from (*entry.links.sources, *(source for _, source in entry.copies))
    elif isinstance(entry, Bytecode):
        yield from (*entry.links.sources, *filter(None, [entry.empty_source]))
    elif isinstance(entry, Build) and not entry.refused:
        yield entry.archive


def wheels_of(entry: Carried | None) -> Iterator[str]:
    """Yield the digests of the wheels whose manifests *entry* needs."""
    if isinstance(entry, Plan):
        yield from (distribution[3] for distribution in entry.distributions)
    elif isinstance(entry, Build) and not entry.refused:
        yield entry.wheel
    elif isinstance(entry, ProjectResolution):
        yield from (part.wheel for part in entry.parts if part.project is None)
    elif isinstance(entry, Source):
        yield entry.wheel


def pages_of(entry: Carried | None) -> Iterator[str]:
    """Yield the names of the pages that pip read for *entry*."""
    reading: Reading | None = getattr(entry, "reading", None)
    if reading is not None:
        yield from (name for name, _ in reading.pages)


def sizes_of(entry: Carried | None) -> Iterator[tuple[str, int]]:
    """Yield files that *entry* names, with the bytes that it says they have."""
    if isinstance(entry, Manifest):
        yield from ((object_name(file.address), file.size) for file in entry.files)
    elif isinstance(entry, Plan | Skeleton | Bytecode):
        yield from zip(entry.links.sources, entry.links.sizes, strict=True)
