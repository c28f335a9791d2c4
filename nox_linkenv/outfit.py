"""Putting the links of a stored plan or skeleton, and their bytecode, into an environment."""

from __future__ import annotations

from collections.abc import Sequence

from nox_linkenv.config import Settings
from nox_linkenv.env.build import Builder, write_private
from nox_linkenv.env.facts import Facts
from nox_linkenv.env.links import Links
from nox_linkenv.linking import LinkReport
from nox_linkenv.store import Store

__all__ = ["Outfit"]


class Outfit:
    """Links into one environment, with or without bytecode."""

    def __init__(self, store: Store, builder: Builder, facts: Facts, settings: Settings) -> None:
        self.store = store
        self.builder = builder
        self.facts = facts
        self.settings = settings

    def put_on(self, name: str, links: Links, empty: Sequence[str]) -> LinkReport:
        """Link *links* of the stored plan or skeleton *name*, then its bytecode.

        Returns:
            The report about *links*; bytecode that is missing or damaged is left out, the interpreter makes its own.
        """
        self.builder.directories(links.directories)
        report = self.builder.link(links)
        if self.settings.bytecode:
            self._bytecode(name, report)
        return report

    def _bytecode(self, name: str, report: LinkReport) -> None:
        from nox_linkenv.env.bytecode import EMPTY, read_bytecode
        from nox_linkenv.store.layout import bytecode_name

        bytecode = read_bytecode(self.store, name, self.facts)
        if bytecode is None:
            return
        self.builder.directories(bytecode.links.directories)
        copied = self.builder.link(bytecode.links).copied
        report.copied.update(copied)
        if bytecode.empty:
            try:
                with open(f"{self.store.layout.base}/{bytecode_name(self.facts.tag, EMPTY)}", "rb") as stream:
                    content = stream.read()
            except FileNotFoundError:
                return
            for path in bytecode.empty:
                write_private(f"{self.builder.prefix}/{path}", content, executable=False)
