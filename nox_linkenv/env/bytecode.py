"""The bytecode of an environment: which shared pycs belong beside the files of a plan or skeleton."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.digest import EMPTY, mtime_of
from nox_linkenv.env.links import Links
from nox_linkenv.env.paths import check_paths
from nox_linkenv.regular import read_regular
from nox_linkenv.store.compile import bytecode_of
from nox_linkenv.store.layout import bytecode_name, digest_in
from nox_linkenv.store.notes import string, strings
from nox_linkenv.store.objects import discard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nox_linkenv.env.interpreter.facts import Facts
    from nox_linkenv.store import Store

__all__ = ["Bytecode", "empty_bytecode", "index_bytecode", "pyc_path", "read_bytecode", "sources"]

#: Bytes: more than bytecode of nothing has.
_MOST: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Bytecode:
    """The pycs to put into an environment.

    Args:
        links: those of modules with content.
        empty: paths of those of empty modules, which are written: one inode cannot have that many links.
        empty_source: the stored file, relative to the format directory, whose content each of these has.
    """

    links: Links
    empty: list[str]
    empty_source: str

    def dumps(self) -> str:
        data = {"links": self.links.to_json(), "empty": self.empty, "empty_source": self.empty_source}
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def from_json(cls, data: dict[str, Any], *, inside: Iterable[str]) -> Bytecode:
        """Return the bytecode that :meth:`dumps` wrote as JSON.

        Args:
            inside: the directories of the plan or skeleton that it belongs to.

        Raises:
            KeyError, TypeError, ValueError: *data* is not one, or it leads out of these directories.
        """
        found = cls(Links.from_json(data["links"]), strings(data["empty"]), string(data["empty_source"]))
        check_paths(
            found.links.directories,
            found.links.paths,
            found.empty,
            inside=inside,
            folders=found.links.folders(),
        )
        return found


def sources(links: Links, empty: Sequence[str], facts: Facts) -> dict[str, str]:
    """Return the address of every module in site-packages by its path; *empty* are the paths of empty files."""
    inside = tuple(f"{directory}/" for directory in facts.site_packages)
    found = {
        path: source[8:10] + source[11:]
        for path, source in zip(links.paths, links.sources, strict=True)
        if path.endswith(".py") and path.startswith(inside)
    }
    found.update((path, EMPTY) for path in empty if path.endswith(".py") and path.startswith(inside))
    return found


def pyc_path(path: str, cache_tag: str) -> str:
    """Return where the pyc of the module at *path* lies (PEP 3147)."""
    directory, _, name = path.rpartition("/")
    return f"{directory}/__pycache__/{name[:-3]}.{cache_tag}.pyc"


def index_bytecode(store: Store, name: str, modules: dict[str, str], facts: Facts) -> None:
    """Write down which of *modules* (path -> address) have bytecode, for everyone who installs *name*.

    Args:
        name: of the stored plan or skeleton.
    """
    found = bytecode_of(store.layers, facts.tag, set(modules.values()))
    links, empty = Links(), []
    directories: dict[str, None] = {}
    for path, addr in modules.items():
        if addr not in found:
            continue
        target = pyc_path(path, facts.cache_tag)
        directories.setdefault(target.rpartition("/")[0])
        if addr == EMPTY:
            empty.append(target)
        else:
            links.add_source(target, found[addr].name, found[addr].size, mtime_of(addr))
    links.directories.extend(directories)
    source = found[EMPTY].name if empty else ""
    store.note(_name(name, facts), Bytecode(links, empty, source).dumps())


def read_bytecode(store: Store, name: str, facts: Facts, links: Links) -> Bytecode | None:
    """Return the bytecode written down for *name*, or ``None``.

    Args:
        links: of the plan or skeleton *name*: bytecode lies only below its directories.
    """
    return store.load(_name(name, facts), lambda data: Bytecode.from_json(data, inside=links.directories))


def empty_bytecode(store: Store, facts: Facts, bytecode: Bytecode) -> bytes:
    """Return the content of the bytecode of empty modules, or nothing where it is not there, or not what it was."""
    name = bytecode.empty_source
    if not bytecode.empty or name != bytecode_name(facts.tag, EMPTY, digest_in(name)):
        return b""
    for layer in store.layers:
        try:
            content = read_regular(f"{layer.base}/{name}", limit=_MOST)
        except FileNotFoundError:
            continue
        except OSError:
            content = b""
        if hashlib.sha256(content).hexdigest().startswith(digest_in(name)):
            return content
        if layer is store.layout:
            with contextlib.suppress(OSError):
                discard(layer, name)  # upkeep makes it anew
    return b""


def _name(name: str, facts: Facts) -> str:
    return f"{name.removesuffix('.json')}.{facts.tag}.json"
