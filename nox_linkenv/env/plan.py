"""The plan of an installation: which directories, links and private files wheels become.

It is free of any environment's path, and so kept and used again.  Paths are relative to the environment, with ``/``.
:mod:`nox_linkenv.env.planning` makes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.env.links import Links
from nox_linkenv.env.paths import check_paths, check_sources
from nox_linkenv.env.record import in_order, record_row
from nox_linkenv.store.notes import rows, string, strings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STARTUP_FILES", "Plan"]

#: What an interpreter reads when it starts (PEP 829) ends so: private to an environment, and written last.
STARTUP_FILES: Final = (".pth", ".start")
_LISTS: Final = ("empty", "texts", "shebangs", "copies", "records", "distributions", "shebang")


@dataclass(frozen=True, slots=True)
class Plan:
    """What makes an environment of an environment.

    Args:
        links: directories to make and files to link.
        empty: (path, executable) of files without content, which are not linked.
        texts: (path, content, executable) of private files; contents may hold the environment's placeholders.
        shebangs: (path, source) of scripts which get their first line rewritten.
        copies: (path, source) of files which are private although they come from the wheel.
        records: (path of a RECORD, its rows, the paths of the rows to be computed after their files are written).
        distributions: (name, version, directory of the ``.dist-info``, wheel digest, position of its first link).
        shebang: the line for *shebangs*.
    """

    links: Links
    empty: list[tuple[str, bool]]
    texts: list[tuple[str, str, bool]]
    shebangs: list[tuple[str, str]]
    copies: list[tuple[str, str]]
    records: list[tuple[str, list[str], list[tuple[str, str]]]]
    distributions: list[tuple[str, str, str, str, int]]
    shebang: str

    def dumps(self) -> str:
        data = {name: getattr(self, name) for name in _LISTS}
        return json.dumps({"links": self.links.to_json(), **data}, separators=(",", ":"))

    def with_texts(self, texts: Mapping[str, str]) -> Plan:
        """Return this plan with other contents for private files in ``.dist-info`` directories.

        Args:
            texts: content by the path of the file, which this plan has.
        """
        changed = [(path, texts.get(path, text), executable) for path, text, executable in self.texts]
        before = {path: text for path, text, _ in self.texts if path in texts}
        records = []
        for path, lines, computed in self.records:
            directory = path.removesuffix("RECORD")
            names = {file: f"{directory.split('/')[-2]}/{file.removeprefix(directory)}" for file in texts}
            ours = {file: name for file, name in names.items() if file.startswith(directory)}
            # Only the rows of what is replaced: the wheel may have one of a file of its own by that name.
            gone = {record_row(name, before[file].encode()) for file, name in ours.items()}
            new = [record_row(name, texts[file].encode()) for file, name in ours.items()]
            kept = in_order([*(line for line in lines if line not in gone), *new]) if new else lines
            records.append((path, kept, computed))
        return replace(self, texts=changed, records=records)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        """Return the plan that :meth:`dumps` wrote as JSON.

        Raises:
            KeyError, TypeError, ValueError: *data* is not one, or it leads out of the environment.
        """
        links = Links.from_json(data["links"])
        records = rows(data["records"], str, list, list)
        for _, lines, computed in records:
            strings(lines)
            rows(computed, str, str)
        distributions = rows(data["distributions"], str, str, str, str, int)
        if any(not 0 <= entry[4] <= len(links.paths) for entry in distributions):
            raise ValueError("a distribution begins where there is no link")
        plan = cls(
            links=links,
            empty=rows(data["empty"], str, bool),
            texts=rows(data["texts"], str, str, bool),
            shebangs=rows(data["shebangs"], str, str),
            copies=rows(data["copies"], str, str),
            records=records,
            distributions=distributions,
            shebang=string(data["shebang"]),
        )
        plan.check()
        return plan

    def check(self) -> None:
        """Make sure that everything is made in the environment, of files of the store.

        Raises:
            TypeError, ValueError: that is not so.
        """
        check_paths(
            self.links.directories,
            self.links.paths,
            [path for path, _ in self.empty],
            [path for path, _, _ in self.texts],
            [path for path, _ in self.shebangs],
            [path for path, _ in self.copies],
            [path for path, _, _ in self.records],
            folders=self.links.folders(),
        )
        check_sources([source for _, source in (*self.shebangs, *self.copies)])
