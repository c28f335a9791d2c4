"""Makes a plan of manifests and of the facts about an interpreter: pure, without a look at a disk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.env.links import Links
from nox_linkenv.env.plan import STARTUP_FILES, Plan
from nox_linkenv.env.record import in_order, record_line, record_row
from nox_linkenv.store.layout import object_name
from nox_linkenv.wheel.model import EntryPoint, Scheme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nox_linkenv.env.interpreter.facts import Facts
    from nox_linkenv.store.manifest import Manifest, StoredFile

__all__ = ["INSTALLER", "RULES", "CollisionError", "Installable", "make_plan"]

#: Counts how the rules have changed by which plans are made: a plan of other rules is another plan.
RULES: Final = 3
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


def make_plan(wheels: Sequence[Installable], facts: Facts) -> Plan:
    """Return the plan that installs *wheels* as pip would into an environment of these *facts*.

    Raises:
        CollisionError: two of the wheels hold the same path, or one path is a file and a directory.
    """
    maker = _Maker(facts)
    for wheel in wheels:
        maker.add(wheel)
    return maker.finish()


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
        elif path.endswith(STARTUP_FILES):
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
            rows.append(record_line((listed, digest, size)))
    rows += [record_line((_relative(path, root), "", "")) for path in unlisted.values()]
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
