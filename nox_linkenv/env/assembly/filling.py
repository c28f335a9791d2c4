"""Linking what the store lacks and another one behind it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nox_linkenv.linking import LinkMode, LinkReport
from nox_linkenv.store.layers import bring

if TYPE_CHECKING:
    from nox_linkenv.env.links import Links
    from nox_linkenv.store.layout import Layout

__all__ = ["link_from_behind"]


class _Assembler(Protocol):
    """What is needed here of the assembler of an environment."""

    @property
    def layout(self) -> Layout: ...
    @property
    def behind(self) -> tuple[Layout, ...]: ...
    @property
    def mode(self) -> LinkMode: ...

    def link_from(self, layout: Layout, links: Links, inodes: list[int] | None) -> LinkReport: ...


def link_from_behind(assembler: _Assembler, links: Links, report: LinkReport, inodes: list[int] | None) -> None:
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
