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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nox_linkenv.env.links import Links
from nox_linkenv.env.paths import check_paths, check_sources
from nox_linkenv.store.layout import object_name
from nox_linkenv.store.notes import rows, string, strings
from nox_linkenv.wheel.model import EntryPoint, Scheme

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nox_linkenv.env.interpreter.facts import Facts
    from nox_linkenv.store.manifest import Manifest, StoredFile

__all__ = ["INSTALLER", "RULES", "CollisionError", "Installable", "Plan", "in_order", "make_plan", "record_row"]

#: Counts how the rules have changed by which plans are made: a plan of other rules is another plan.
RULES: Final = 2
#: What the INSTALLER file of a linked distribution says (recording installed projects, "The INSTALLER file").
INSTALLER: Final = "nox-linkenv\n"


class CollisionError(Exception):
    """Two wheels hold the same path, or one is a file and a directory: what comes of it is for pip to say."""


class Installable(NamedTuple):
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


_LISTS: Final = ("empty", "texts", "shebangs", "copies", "records", "distributions", "shebang")


def make_plan(wheels: Sequence[Installable], facts: Facts) -> Plan:
    """Return the plan that installs *wheels* as pip would into an environment of these *facts*.

    Raises:
        CollisionError: two of the wheels hold the same path, or one path is a file and a directory.
    """
    maker = _Maker(facts)
    for wheel in wheels:
        maker.add(wheel)
    return maker.finish()


def record_row(path: str, content: bytes) -> str:
    """Return a line of RECORD, without its end (recording installed projects, "The RECORD file")."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return _line((path, f"sha256={digest}", str(len(content))))


def in_order(rows: Iterable[str]) -> list[str]:
    """Return the lines of RECORD in pip's order: by their paths, without the quotation marks that some stand in."""
    lines = sorted(rows)
    if lines and lines[0] <= '"\uffff':  # quotation marks come before what paths begin with
        lines.sort(key=lambda line: next(csv.reader([line])) if line.startswith('"') else line.split(","))
    return lines


def _line(row: tuple[str, str, str]) -> str:
    line = ",".join(row)
    if line.count(",") == 2 and not any(character in line for character in '"\n\r'):
        return line
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
        """Add what pip makes of *wheel*: file after file, of which the later replaces the earlier at its path."""
        manifest, facts = wheel.manifest, self.facts
        root = facts.schemes[Scheme.PURELIB if manifest.root_is_purelib else Scheme.PLATLIB]
        info = f"{root}/{manifest.dist_info}"
        start = len(self.plan.links.paths)
        files: dict[str, StoredFile] = {}
        unlisted = {f"{manifest.dist_info}/RECORD": f"{info}/RECORD"}  # name in the archive -> path in the environment
        rewritten: dict[str, str] = {}  # path in RECORD -> path in the environment
        for file in _in_pips_order(manifest):
            path = _join(facts.schemes[file.scheme].replace("{name}", manifest.name), file.path)
            unlisted[file.name] = path
            files.pop(path, None)
            files[path] = file
            if file.shebang:
                rewritten[_relative(path, root)] = path
        written = [
            (_join(facts.schemes[Scheme.SCRIPTS], entry.name), entry)
            for entry in _scripts(manifest.entry_points, facts.version)
        ]
        scripts = dict(written)
        private = {f"{info}/INSTALLER": INSTALLER}
        if wheel.requested:
            private[f"{info}/REQUESTED"] = ""
        if wheel.direct_url is not None:
            private[f"{info}/direct_url.json"] = wheel.direct_url
        for path, file in files.items():
            if path not in scripts and path not in private and path != f"{info}/RECORD":
                self._claim(path)
                self._place(file, path)
        for path, entry in scripts.items():
            self._claim(path)
            self.plan.texts.append((path, _script(entry, facts), True))
        for path, content in private.items():
            self._claim(path)
            self.plan.texts.append((path, content, False))
        self._claim(f"{info}/RECORD")
        rows, computed = _rows(manifest, root, unlisted, rewritten)
        rows += [record_row(_relative(path, root), content.encode()) for path, content in private.items()]
        computed += [(path, _relative(path, root)) for path, _ in written]
        self.plan.records.append((f"{info}/RECORD", in_order(rows), computed))
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
        try:
            self.plan.check()
        except ValueError as error:
            raise CollisionError(f"a path that is not fit for one ({error})") from error
        return self.plan


def _in_pips_order(manifest: Manifest) -> list[StoredFile]:
    """Return the files of a wheel as pip writes them: those at its root, those of other schemes, the scripts.

    Scripts that setuptools has made of entry points are left out; installers make their own.
    """
    names = {entry.name for entry in manifest.entry_points}

    def rank(file: StoredFile) -> int:
        in_data = file.name.partition("/")[0].endswith(".data")
        return 2 if in_data and file.scheme is Scheme.SCRIPTS else int(in_data)

    return sorted((file for file in manifest.files if rank(file) < 2 or _wrapped(file.path) not in names), key=rank)


def _wrapped(script: str) -> str:
    """Return the name of the entry point that *script* would belong to, as pip tells."""
    name = script.rpartition("/")[2]
    for suffix in (".exe", "-script.py", ".pya"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _scripts(entries: Sequence[EntryPoint], version: str) -> list[EntryPoint]:
    """Return the scripts that pip makes of *entries*, of which a later one replaces an earlier one of its name.

    Where ``pip`` or ``easy_install`` is among them, pip gives it the names of this interpreter's *version*.
    """
    console = {entry.name: entry for entry in entries if not entry.gui}
    gui = [entry for entry in entries if entry.gui]
    major, minor = version.split(".")[:2]
    named: list[EntryPoint] = []
    for name, versions, other in (
        ("pip", ("pip", f"pip{major}", f"pip{major}.{minor}"), r"pip(\d+(\.\d+)?)?$"),
        ("easy_install", ("easy_install", f"easy_install-{major}.{minor}"), r"easy_install(-\d+\.\d+)?$"),
    ):
        if (entry := console.get(name)) is not None:
            named += [EntryPoint(other_name, entry.value, gui=False) for other_name in versions]
            console = {key: value for key, value in console.items() if re.match(other, key) is None}
    return [*named, *console.values(), *gui]


def _rows(
    manifest: Manifest, root: str, unlisted: dict[str, str], rewritten: Mapping[str, str]
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the rows of a RECORD as pip makes them of the wheel's, and those to be computed (path, path in RECORD).

    A row stays what it is, but for the path.  What has no row gets one without a hash.

    Args:
        unlisted: path in the environment of all that was installed of the wheel, by its name there; is used up.
        rewritten: path in the environment of the scripts whose first line is rewritten, by their path in RECORD.
    """
    rows: list[str] = []
    computed: list[tuple[str, str]] = []
    for name, digest, size in manifest.record:
        path = unlisted.pop(name, None)
        listed = name if path is None else _relative(path, root)
        if listed in rewritten:
            computed.append((rewritten[listed], listed))
        else:
            rows.append(_line((listed, digest, size)))
    rows += [_line((_relative(path, root), "", "")) for path in unlisted.values()]
    return rows, computed


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


_SHEBANG_TOKENS: Final = r"\{(module|attribute|object)\}"


def _script(entry: EntryPoint, facts: Facts) -> str:
    module, _, target = entry.value.partition(":")
    module, target = module.strip(), target.strip()
    values = {"module": module, "attribute": target.partition(".")[0], "object": target}
    return re.sub(_SHEBANG_TOKENS, lambda match: values[match[1]], facts.gui if entry.gui else facts.console)
