"""Putting the links of a stored plan or skeleton, and their bytecode, into an environment."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nox_linkenv.env.assembly.donor import PreviousTree, State, read_state, record_state, state_name
from nox_linkenv.env.assembly.recycle import Leftover, Private, take_over
from nox_linkenv.env.bytecode import Bytecode, empty_bytecode, read_bytecode
from nox_linkenv.env.links import Links, joined
from nox_linkenv.env.plan import Plan
from nox_linkenv.env.receipt import DIRECTORY, donor_of, own_directory
from nox_linkenv.linking import LinkMode
from nox_linkenv.linking.trace import trace
from nox_linkenv.store.objects import discard, discard_changed, discarded_inodes, discarded_names, owner_of
from nox_linkenv.store.spares import take_prebuilt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nox_linkenv.config import Settings
    from nox_linkenv.env.assembly.assembler import Assembler
    from nox_linkenv.env.interpreter.facts import Facts
    from nox_linkenv.linking import LinkReport
    from nox_linkenv.store import Store

__all__ = ["LinkApplier", "Result", "stored_plan"]


@dataclass(slots=True, eq=False)
class Result:
    """What became of the links.

    Args:
        report: of the links that were given; damaged bytecode is left out, the interpreter makes its own.
        kept: paths of private files that were taken over with the directories around them.
        links: all of them, bytecode included.
        inodes: the number of the inode of each.
        changes: status-change times of their directories as far as they are known, 0 for the others.
    """

    report: LinkReport
    kept: set[str]
    links: Links
    inodes: list[int] = field(default_factory=list)
    changes: Sequence[int] = ()

    @property
    def volume(self) -> tuple[int, int]:
        """Bytes of the files that were not written, and of those that had to be copied."""
        return sum(self.links.sizes) - self.report.copied_bytes, self.report.copied_bytes


def stored_plan(store: Store, name: str) -> Plan | None:
    """Return the stored plan of this *name*, or ``None`` where there is none that can be read."""
    return store.use(name, Plan.from_json)


class LinkApplier:
    """Links into one environment, with or without bytecode, taking over what a donor has."""

    def __init__(self, store: Store, assembler: Assembler, facts: Facts, settings: Settings) -> None:
        self.store = store
        self.assembler = assembler
        self.facts = facts
        self.settings = settings

    def apply_links(
        self, name: str, links: Links, empty: Sequence[str], texts: Mapping[str, bytes] | None = None
    ) -> Result:
        """Link *links* of the stored plan or skeleton *name*, then its bytecode.

        Args:
            empty: paths of the empty files which the caller writes, unless they are kept.
            texts: contents by path of private files which the caller writes, unless they are kept.
        """
        started = time.perf_counter()
        bytecode = read_bytecode(self.store, name, self.facts, links) if self.settings.bytecode else None
        content = b""
        if bytecode is not None and bytecode.empty:
            content = empty_bytecode(self.store, self.facts, bytecode)
        everything = links if bytecode is None else joined(links, bytecode.links)
        if self.settings.verify:
            for layout in dict.fromkeys((self.assembler.layout, self.store.layout)):
                discard_changed(layout, everything.sources)
        inodes = [0] * len(everything.paths)
        left = self._take_over(name, everything, inodes, empty, texts or {}, bytecode, content)
        self.assembler.directories(left.directories)
        fresh: list[int] = []
        report = self.assembler.link(everything.selected(left.positions), inodes=fresh)
        for position, number in zip(left.positions, fresh, strict=True):
            inodes[position] = number
        damaged = [left.positions[at] for at in report.damaged]
        report.damaged = [at for at in damaged if at < len(links.paths)]
        for at in damaged[len(report.damaged) :]:
            discard(self.assembler.layout, everything.sources[at])  # bytecode: upkeep makes it anew
        if bytecode is not None:
            self.assembler.empty_bytecode(bytecode.empty, content, kept=left.kept)
        trace(
            "linked",
            name=name,
            link_seconds=time.perf_counter() - started,
            files_linked=report.linked,
            files_kept=len(everything.paths) - len(left.positions),
            dirs_made=len(left.directories),
        )
        return Result(report, left.kept, everything, inodes, left.changes)

    def record(self, name: str, result: Result) -> None:
        """Record the state of what was put on, when all else has been written, for a later take-over."""
        path = f"{own_directory(self.assembler.prefix)}/{state_name(name)}"
        record_state(path, self.assembler.prefix, result.links.directories, result.inodes, known=result.changes)

    def _take_over(
        self,
        name: str,
        links: Links,
        inodes: list[int],
        empty: Sequence[str],
        texts: Mapping[str, bytes],
        bytecode: Bytecode | None,
        compiled: bytes,
    ) -> Leftover:
        """Take over what a donor has of *links*, filling in *inodes*."""
        private = {path: Private(content, timed=False) for path, content in texts.items()}
        private.update(dict.fromkeys(empty, Private(b"", timed=True)))
        if bytecode is not None:
            private.update(dict.fromkeys(bytecode.empty, Private(compiled, timed=True)))
        for path in () if self.settings.verify else self._donors(name):
            file = f"{path}/{DIRECTORY}/{state_name(name)}"
            state = read_state(file, links=len(links.paths), directories=len(links.directories))
            if state is not None:
                inodes[:] = self._still_good(state.inodes, links.sources)
                state = State(inodes, state.changes)
                for root in self.facts.site_packages:
                    os.makedirs(f"{self.assembler.prefix}/{root}", exist_ok=True)
                donor = PreviousTree(path, state)
                hard = self.assembler.mode is LinkMode.HARDLINK
                return take_over(
                    donor,
                    self.assembler.prefix,
                    links,
                    private,
                    roots=self.facts.site_packages,
                    owner=owner_of(self.assembler.layout.base) if hard else None,
                )
        return Leftover(links.directories, list(range(len(links.paths))))

    def _still_good(self, inodes: Sequence[int], sources: Sequence[str]) -> Sequence[int]:
        """Return *inodes* with 0 for the files that have been taken out of the store since.

        A hard link is known by its number; what was cloned or copied, by its source.
        """
        gone = discarded_inodes(self.assembler.layout)
        if not gone:
            return inodes
        if self.assembler.mode is LinkMode.HARDLINK:
            return [0 if number in gone else number for number in inodes]
        names = discarded_names(self.assembler.layout)
        return [0 if source in names else number for number, source in zip(inodes, sources, strict=True)]

    def _donors(self, name: str) -> Iterator[str]:
        """Yield the trees to take over from: the environment that stood here before, or a spare."""
        if self.assembler.mode is LinkMode.SYMLINK or os.name != "posix":
            return  # there is nothing to be gained: a symlink is looked at as slowly as it is made
        ours = own_directory(self.assembler.prefix)
        former = donor_of(self.assembler.prefix)
        if os.path.exists(f"{former}/{DIRECTORY}/{state_name(name)}"):
            yield former
        elif self.settings.spares and self.assembler.mode is LinkMode.HARDLINK:
            spare = take_prebuilt(self.assembler.layout, name, f"{ours}/{state_name(name)}-spare")
            if spare is not None:
                yield spare
