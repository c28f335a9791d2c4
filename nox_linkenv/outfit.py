"""Putting the links of a stored plan or skeleton, and their bytecode, into an environment."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nox_linkenv.env.build import EMPTY_MTIME, Builder, write_private
from nox_linkenv.env.bytecode import EMPTY, Bytecode, read_bytecode
from nox_linkenv.env.links import Links
from nox_linkenv.env.receipt import DIRECTORY
from nox_linkenv.env.recycle import Leftover, Part, inodes_name, read_inodes, take_over, write_inodes
from nox_linkenv.store.layout import bytecode_name
from nox_linkenv.store.objects import discard_changed
from nox_linkenv.store.spares import take_spare
from nox_linkenv.trace import trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_linkenv.config import Settings
    from nox_linkenv.env.facts import Facts
    from nox_linkenv.linking import LinkReport
    from nox_linkenv.store import Store

__all__ = ["Outfit", "Result"]


@dataclass(slots=True)
class Result:
    """What became of the links.

    Args:
        report: of the links; positions of damaged ones are positions in the links that were given.
        kept: paths of empty files that were taken over with the directories around them.
    """

    report: LinkReport
    kept: set[str] = field(default_factory=set)


class Outfit:
    """Links into one environment, with or without bytecode, taking over what a donor has."""

    def __init__(self, store: Store, builder: Builder, facts: Facts, settings: Settings) -> None:
        self.store = store
        self.builder = builder
        self.facts = facts
        self.settings = settings
        self.ours = f"{builder.prefix}/{DIRECTORY}"

    def put_on(self, name: str, links: Links, empty: Sequence[str]) -> Result:
        """Link *links* of the stored plan or skeleton *name*, then its bytecode.

        Bytecode that is missing or damaged is left out: the interpreter makes its own.

        Args:
            empty: paths of the empty files which the caller writes, unless they are kept.
        """
        bytecode = read_bytecode(self.store, name, self.facts) if self.settings.bytecode else None
        compiled = bytecode.links if bytecode is not None else Links()
        content = self._empty_bytecode(bytecode)
        parts = [links, compiled]
        started = time.perf_counter()
        if self.settings.verify:
            for part in parts:
                discard_changed(self.store.layout, part.sources)
        inodes: list[list[int]] = [[], []]
        left = self._take_over(name, parts, inodes, dict.fromkeys(empty, 0), bytecode, len(content))
        self.builder.directories(left.directories)
        reports = []
        for part, numbers, positions in zip(parts, inodes, left.positions, strict=True):
            whole = len(positions) == len(part.paths)
            fresh: list[int] = []
            report = self.builder.link(part if whole else part.selected(positions), inodes=fresh)
            report.damaged = [positions[at] for at in report.damaged]
            for position, number in zip(positions, fresh, strict=True):
                numbers[position] = number
            reports.append(report)
        if bytecode is not None and content:
            for path in bytecode.empty:
                if path not in left.kept:
                    target = write_private(f"{self.builder.prefix}/{path}", content, executable=False)
                    os.utime(target, (EMPTY_MTIME, EMPTY_MTIME))
        os.makedirs(self.ours, exist_ok=True)
        write_inodes(f"{self.ours}/{inodes_name(name)}", [*inodes[0], *inodes[1]])
        reports[0].copied.update(reports[1].copied)
        trace(
            "linked",
            name=name,
            link_seconds=time.perf_counter() - started,
            files_linked=sum(report.linked for report in reports),
            files_kept=sum(len(part.paths) for part in parts) - sum(map(len, left.positions)),
            dirs_made=len(left.directories),
        )
        return Result(reports[0], left.kept)

    def _take_over(
        self,
        name: str,
        parts: Sequence[Links],
        inodes: list[list[int]],
        private: dict[str, int],
        bytecode: Bytecode | None,
        compiled_size: int,
    ) -> Leftover:
        """Take over what a donor has of *parts*, filling in *inodes*."""
        if bytecode is not None:
            private.update(dict.fromkeys(bytecode.empty, compiled_size))
        for numbers, part in zip(inodes, parts, strict=True):
            numbers.extend([0] * len(part.paths))
        expected = sum(len(part.paths) for part in parts)
        for donor in () if self.settings.verify else self._donors(name):
            numbers_there = read_inodes(f"{donor}/{DIRECTORY}/{inodes_name(name)}", expected)
            if numbers_there is None:
                continue
            start = 0
            taken = []
            for numbers, part in zip(inodes, parts, strict=True):
                numbers[:] = numbers_there[start : start + len(part.paths)]
                taken.append(Part(part, numbers))
                start += len(part.paths)
            for root in self.facts.site_packages:
                os.makedirs(f"{self.builder.prefix}/{root}", exist_ok=True)
            return take_over(donor, self.builder.prefix, taken, private, roots=self.facts.site_packages)
        directories = [path for part in parts for path in part.directories]
        return Leftover(directories, [list(range(len(part.paths))) for part in parts])

    def _donors(self, name: str) -> Sequence[str]:
        """Return the trees to take over from: the environment that stood here before, or a spare."""
        former = f"{self.ours}/donor"
        if os.path.exists(f"{former}/{DIRECTORY}/{inodes_name(name)}"):
            return [former]
        spare = take_spare(self.store.layout, name, f"{self.ours}/{inodes_name(name)}-spare")
        return [] if spare is None else [spare]

    def _empty_bytecode(self, bytecode: Bytecode | None) -> bytes:
        if bytecode is None or not bytecode.empty:
            return b""
        try:
            with open(f"{self.store.layout.base}/{bytecode_name(self.facts.tag, EMPTY)}", "rb") as stream:
                return stream.read()
        except FileNotFoundError:
            return b""
