"""``linkenv lock``: a lock file for each environment of a project, of what pip has answered when it was made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.cli.options import opened, set_completer, settings_of
from nox_linkenv.cli.sessions import known_names, named, of_last_run, plain
from nox_linkenv.env.receipt import Receipt, read_receipt
from nox_linkenv.errors import EnvError, LinkenvError
from nox_linkenv.provision.account import joined
from nox_linkenv.pylock.asking import ask
from nox_linkenv.pylock.document import document, ensure_writers, has_hash, is_local
from nox_linkenv.pylock.sources import Source, Sources, local_path
from nox_linkenv.pylock.standing import Part, Standing, look
from nox_linkenv.store.journal import Session, read

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from nox_linkenv.cli.output import Output
    from nox_linkenv.store import Store

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Write a lock file (PEP 751) for each environment of this project: pylock.NAME.toml, of what stands in it after "
    "its session, with the URLs and hashes that pip gave when it was asked. Pip does not run. It holds for the "
    "interpreter and the platform of that environment; pip, uv and tox install from it."
)
EXAMPLES: Final = {
    "linkenv lock": "all sessions of this project whose environments stand",
    "linkenv lock tests-3.12 .nox/lint": "a session, and the one of an environment",
    "linkenv lock --local -o locks": "with projects on this disk, into a directory",
    "linkenv lock --check": "exit code 1 where a lock file would be another one",
}


class _Cell(NamedTuple):
    """A session and its environment."""

    session: str
    prefix: str

    @property
    def file_name(self) -> str:
        """How the specification has a lock file with a name called: the name has no dots."""
        return f"pylock.{plain(self.session)}.toml"


class _Locked(NamedTuple):
    cell: _Cell
    path: str
    packages: int
    state: str
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    chosen = parser.add_argument("names", metavar="SESSION|ENV", nargs="*", help="which (all sessions of this project)")
    set_completer(chosen, known_names)
    parser.add_argument("-o", "--output", metavar="DIR", default=".", help="where the files go (the current directory)")
    parser.add_argument("--local", action="store_true", help="with projects on this disk, by their paths; not for pip")
    parser.add_argument("--ask", action="store_true", help="ask pip about what no answer is remembered of")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where a file would change")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Lock them."""
    ensure_writers()
    store = opened(settings_of(arguments))
    directory = os.path.abspath(arguments.output)
    cells = _cells(store, arguments.names)
    receipts = {cell: read_receipt(cell.prefix) for cell in cells}
    plans = {plan for receipt in receipts.values() if receipt is not None for plan in receipt.plans}
    locking = _Locking(store, Sources(store, plans), directory, arguments)
    locked: list[_Locked] = []
    failed: list[tuple[_Cell, LinkenvError]] = []
    with output.progress() as progress:
        for cell, receipt in receipts.items():
            progress(cell.session)
            try:
                locked.append(locking.lock(cell, receipt))
            except LinkenvError as error:
                failed.append((cell, error))
    for one in locked:
        output.line(f"{one.cell.session}: {one.path}: {one.packages} packages, {one.state}")
        for note in one.notes:
            output.line(f"  {note}")
    for cell, why in failed:
        output.warn(f"linkenv: {cell.session}: {why}")
    output.data(
        {
            "store": store.layout.root,
            "locks": [
                {
                    "session": one.cell.session,
                    "environment": one.cell.prefix,
                    "file": one.path,
                    "packages": one.packages,
                    "state": one.state,
                    "left_out": list(one.left_out),
                    "notes": list(one.notes),
                }
                for one in locked
            ],
            "failed": [
                {"session": cell.session, "environment": cell.prefix, "what": why.what, "remedy": why.remedy}
                for cell, why in failed
            ],
        }
    )
    return 1 if failed or any(one.state == _DIFFERS for one in locked) else 0


_DIFFERS: Final = "differs"


def _cells(store: Store, names: Sequence[str]) -> list[_Cell]:
    """Return what is to be locked: what is named, or the sessions of this project, as far as they can be expected.

    Raises:
        EnvError: nothing is known of them, or two would be written into one file.
    """
    sessions = joined(entry for entry in read(store.layout) if isinstance(entry, Session))
    if names:
        cells = [_cell(name, sessions) for name in names]
    else:
        last = of_last_run([session for session in sessions if not _is_passing(session, store)])
        here = os.getcwd()
        ours = [session for session in sessions if session.project == here and not _is_passing(session, store)]
        cells = [
            _Cell(session.name, session.prefix)
            for session in {session.prefix: session for session in ours}.values()
            if session.prefix in {one.prefix for one in last} or read_receipt(session.prefix) is not None
        ]
    by_file: dict[str, _Cell] = {}
    for cell in cells:
        other = by_file.setdefault(cell.file_name, cell)
        if other.prefix != cell.prefix:
            raise EnvError(
                f"{other.prefix} and {cell.prefix} would both be locked in {cell.file_name}",
                remedy="Name one of the environments, and give each a directory with -o.",
            )
    return sorted(by_file.values())


def _cell(name: str, sessions: Sequence[Session]) -> _Cell:
    prefix = os.path.realpath(name)
    receipt = read_receipt(prefix)
    if receipt is not None:
        return _Cell(receipt.session, prefix)
    (session,) = named(name, sessions)
    return _Cell(session.name, session.prefix)


def _is_passing(session: Session, store: Store) -> bool:
    """Return whether it is no cell: its environment lay in the store, as with ``linkenv warm``, or is tox's own."""
    return session.prefix.startswith(store.layout.root + os.sep) or session.name.startswith(".")


class _Locking:
    """Writes lock files into a *directory* (absolute path), or compares them with those that are there."""

    def __init__(self, store: Store, sources: Sources, directory: str, arguments: argparse.Namespace) -> None:
        self._store = store
        self._sources = sources
        self._directory = directory
        self._arguments = arguments

    def lock(self, cell: _Cell, receipt: Receipt | None) -> _Locked:
        """Lock the environment of *cell*.

        Raises:
            LinkenvError: it does not stand, or it is not known where something in it comes from.
        """
        if receipt is None:
            raise EnvError(
                "No finished environment of nox-linkenv stands there",
                path=cell.prefix,
                remedy="Run its session: nox has --install-only for that, tox --notest.",
            )
        standing = look(self._store, cell.prefix, receipt)
        left_out = [part for part in standing.parts if self._is_left_out(part, standing, cell)]
        parts = [part for part in standing.parts if part not in left_out]
        text, count = document(parts, self._source(cell, parts), receipt.facts, self._directory)
        path = os.path.join(self._directory, cell.file_name)
        state = self._written(path, text)
        notes = [f"left out: {part.name}, to be installed by itself, without dependencies" for part in left_out]
        unhashed = [part.name for part in parts if not has_hash(part)]
        notes += [f"{name} has no hash: pip does not install it beside what has" for name in unhashed]
        notes += [
            f"{name} {before} was replaced by {now} by a later request" for name, before, now in standing.replaced
        ]
        return _Locked(cell, path, count, state, tuple(part.name for part in left_out), tuple(notes))

    def _is_left_out(self, part: Part, standing: Standing, cell: _Cell) -> bool:
        if is_local(part) and not self._arguments.local:
            return True
        # tox installs the package under test from an archive among its own files, after what is locked.
        path = None if part.direct is None or is_local(part) else local_path(part.direct["url"])
        return standing.by_tox and path is not None and path.startswith(os.path.dirname(cell.prefix) + os.sep)

    def _source(self, cell: _Cell, parts: Sequence[Part]) -> _Finder:
        found = {part.name: self._sources.of(part.wheel) for part in parts if part.wheel is not None}
        known = {name: source for name, source in found.items() if source is not None}
        missing = [part for part in parts if part.direct is None and part.name not in known]
        if missing and self._arguments.ask:
            known |= ask(cell.prefix, missing)
        return _Finder(cell, known)

    def _written(self, path: str, text: str) -> str:
        try:
            with open(path, encoding="utf-8") as stream:
                before: str | None = stream.read()
        except FileNotFoundError:
            before = None
        if before == text:
            return "unchanged"
        if self._arguments.check:
            return _DIFFERS
        os.makedirs(self._directory, exist_ok=True)
        staged = f"{path}.{os.getpid()}.new"
        with open(staged, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        os.replace(staged, path)
        return "written"


class _Finder:
    """Gives the archive of a part of *cell*."""

    def __init__(self, cell: _Cell, known: dict[str, Source]) -> None:
        self._cell = cell
        self._known = known

    def __call__(self, part: Part) -> Source:
        if part.name not in self._known:
            raise EnvError(
                f"No answer is remembered that says where {part.name} {part.version} comes from",
                path=self._cell.prefix,
                remedy=f"Have pip asked for it: linkenv lock --ask {self._cell.session}",
            )
        return self._known[part.name]
