"""The plan of an installation: which directories, links and private files wheels become.

Pure: computed from manifests and facts without touching a disk, free of any environment's path, and so kept and
used again.  Paths are relative to the environment, with ``/``.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.env.links import Links
from nox_linkenv.store.layout import object_name
from nox_linkenv.wheel.model import EntryPoint, Scheme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_linkenv.env.interpreter.facts import Facts
    from nox_linkenv.store.manifest import Manifest, StoredFile

__all__ = ["INSTALLER", "CollisionError", "Installable", "Plan", "make_plan", "record_row"]

#: What the INSTALLER file of a linked distribution says (recording installed projects, "The INSTALLER file").
INSTALLER: Final = "nox-linkenv\n"
_PRIVATE: Final = ("INSTALLER", "REQUESTED", "direct_url.json")


class CollisionError(Exception):
    """Two wheels hold the same path: which one wins is for pip to say."""


@dataclass(frozen=True, slots=True)
class Installable:
    """A wheel and how it came to be installed.

    Args:
        manifest: of the wheel.
        requested: whether the user named it, so that it gets a REQUESTED file.
        direct_url: content of ``direct_url.json`` where the user named a URL or path.
    """

    manifest: Manifest
    requested: bool
    direct_url: str | None = None


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

    @classmethod
    def loads(cls, text: str) -> Plan:
        """Return the plan that :meth:`dumps` wrote.

        Raises:
            KeyError, TypeError, ValueError: *text* is not one.
        """
        data: dict[str, Any] = json.loads(text)
        return cls(links=Links.from_json(data["links"]), **{name: data[name] for name in _LISTS})


_LISTS: Final = ("empty", "texts", "shebangs", "copies", "records", "distributions", "shebang")


def make_plan(wheels: Sequence[Installable], facts: Facts) -> Plan:
    """Return the plan that installs *wheels* as pip would into an environment of these *facts*.

    Raises:
        CollisionError: two of the wheels, or two parts of one, hold the same path.
    """
    maker = _Maker(facts)
    for wheel in wheels:
        maker.add(wheel)
    return maker.finish()


def record_row(path: str, content: bytes) -> str:
    """Return a line of RECORD, without its end (recording installed projects, "The RECORD file")."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return _line((path, f"sha256={digest}", str(len(content))))


def _line(row: tuple[str, str, str]) -> str:
    if not any(character in row[0] for character in ',"\n\r'):
        return ",".join(row)
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow(row)
    return stream.getvalue()


class _Maker:
    """Collects the plan wheel by wheel."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.plan = Plan(Links(), [], [], [], [], [], [], facts.shebang)
        self.taken: set[str] = set()
        self.directories: set[str] = set()

    def add(self, wheel: Installable) -> None:
        manifest, facts = wheel.manifest, self.facts
        root = facts.schemes[Scheme.PURELIB if manifest.root_is_purelib else Scheme.PLATLIB]
        start = len(self.plan.links.paths)
        placed: dict[str, str] = {}  # name in the archive -> path in the environment
        computed: list[str] = []  # paths whose RECORD row depends on the environment
        for file in manifest.files:
            path = _join(facts.schemes[file.scheme].replace("{name}", manifest.name), file.path)
            if file.scheme in (Scheme.PURELIB, Scheme.PLATLIB) and file.path in {
                f"{manifest.dist_info}/{name}" for name in _PRIVATE
            }:
                continue  # pip writes its own
            placed[file.name] = path
            self._claim(path)
            self._place(file, path)
            if file.shebang:
                computed.append(path)
        for entry in manifest.entry_points:
            path = _join(facts.schemes[Scheme.SCRIPTS], entry.name)
            if path in self.taken:
                raise CollisionError(path)
            self._claim(path)
            self.plan.texts.append((path, _script(entry, facts), True))
            computed.append(path)
        info = f"{root}/{manifest.dist_info}"
        private = [("INSTALLER", INSTALLER)]
        if wheel.requested:
            private.append(("REQUESTED", ""))
        if wheel.direct_url is not None:
            private.append(("direct_url.json", wheel.direct_url))
        rows = []
        for name, content in private:
            self._claim(f"{info}/{name}")
            self.plan.texts.append((f"{info}/{name}", content, False))
            rows.append(record_row(f"{manifest.dist_info}/{name}", content.encode()))
        self._claim(f"{info}/RECORD")
        changed = set(computed)
        skipped = {f"{manifest.dist_info}/{name}" for name in _PRIVATE}
        for name, digest, size in manifest.record:
            if name in skipped or placed.get(name) in changed:
                continue
            rows.append(_line((_relative(placed[name], root) if name in placed else name, digest, size)))
        self.plan.records.append(
            (f"{info}/RECORD", sorted(set(rows)), [(path, _relative(path, root)) for path in computed])
        )
        self.plan.distributions.append((manifest.name, manifest.version, info, manifest.digest, start))

    def _claim(self, path: str) -> None:
        if path in self.taken:
            raise CollisionError(path)
        self.taken.add(path)
        directory = path.rpartition("/")[0]
        missing = []
        while directory and directory not in self.directories:
            missing.append(directory)
            self.directories.add(directory)
            directory = directory.rpartition("/")[0]
        self.plan.links.directories.extend(reversed(missing))

    def _place(self, file: StoredFile, path: str) -> None:
        executable = file.address.endswith("x")
        source = object_name(file.address)
        if file.shebang:
            self.plan.shebangs.append((path, source))
        elif file.size == 0:
            self.plan.empty.append((path, executable))
        elif path.endswith(".pth"):
            self.plan.copies.append((path, source))
        else:
            self.plan.links.add(path, file.address, file.size)

    def finish(self) -> Plan:
        if self.taken & self.directories:
            raise CollisionError(min(self.taken & self.directories))
        return self.plan


def _join(directory: str, path: str) -> str:
    return f"{directory}/{path}" if directory else path


def _relative(path: str, root: str) -> str:
    """Return *path* relative to the directory *root*, with ``/``; both are relative to the environment."""
    if path.startswith(root + "/"):
        return path[len(root) + 1 :]
    there, here = path.split("/"), root.split("/")
    common = 0
    while common < min(len(there), len(here)) and there[common] == here[common]:
        common += 1
    return "/".join([".."] * (len(here) - common) + there[common:])


_SHEBANG_TOKENS: Final = re.compile(r"\{(module|attribute|object)\}")


def _script(entry: EntryPoint, facts: Facts) -> str:
    module, _, target = entry.value.partition(":")
    module, target = module.strip(), target.strip()
    values = {"module": module, "attribute": target.partition(".")[0], "object": target}
    return _SHEBANG_TOKENS.sub(lambda match: values[match[1]], facts.gui if entry.gui else facts.console)
