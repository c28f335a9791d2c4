"""Linking what the store lacks and another one behind it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_linkenv.linking import LinkMode, LinkReport
from nox_linkenv.store.layers import bring

if TYPE_CHECKING:
    from nox_linkenv.env.assembly.assembler import Assembler
    from nox_linkenv.env.links import Links

__all__ = ["link_from_behind"]


def link_from_behind(assembler: Assembler, links: Links, report: LinkReport, inodes: list[int] | None) -> None:
    """Make the files of *links* which are damaged by *report*, as far as a store behind has them; correct *report*.

    Symlinks are made to where the files are; in every other mode the store is filled first, once for all environments.

    Args:
        inodes: of all of *links*; those of the files made now are put in.

    Raises:
        LinkError: a file could neither be linked nor copied.
        StoreUnwritableError: the store cannot be filled.
    """
    start = 0 if inodes is None else len(inodes) - len(links.paths)
    if assembler.mode is LinkMode.SYMLINK:
        sources = list(assembler.behind)
    else:
        wanted = links.selected(report.damaged)
        bring(assembler.layout, assembler.behind, zip(wanted.sources, wanted.sizes, wanted.mtimes, strict=True))
        sources = [assembler.layout]
    for layout in sources:
        if not report.damaged:
            break
        made: list[int] = []
        again = assembler.link_from(layout, links.selected(report.damaged), made)
        for position, number in zip(report.damaged, made, strict=True):
            if inodes is not None:
                inodes[start + position] = number
        report.add(again)
        report.damaged = [report.damaged[at] for at in again.damaged]
