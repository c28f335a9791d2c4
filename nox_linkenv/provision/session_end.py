"""The end of a session: what it changed is said, and what the next one needs is noted for upkeep."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from nox_linkenv.config import on_ci
from nox_linkenv.env.assembly.link_source import check_places
from nox_linkenv.env.assembly.spares import wants_prebuilt
from nox_linkenv.env.audit import audit_links, fresh_bytecode, imported, keeps_modes
from nox_linkenv.env.bytecode import sources
from nox_linkenv.env.contents import contents
from nox_linkenv.env.receipt import DIRECTORY, Receipt
from nox_linkenv.linking import LinkMode
from nox_linkenv.maintenance.background import CompileTask, PrebuildTask, Tasks
from nox_linkenv.maintenance.turn import FOUND, rehash_is_due
from nox_linkenv.store.directories import names_of
from nox_linkenv.store.layout import Layout
from nox_linkenv.store.objects import discard, discarded_inodes, intact, owner_of
from nox_linkenv.store.trash import find_trash, trash_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nox_linkenv.config import Settings
    from nox_linkenv.env.contents import Content
    from nox_linkenv.env.plan import Plan
    from nox_linkenv.env.skeleton import Skeleton
    from nox_linkenv.store import Store

__all__ = ["Closing", "close"]

#: How many affected sessions are named.
_NAMED: Final = 5


@dataclass(slots=True, eq=False)
class Closing:
    """What was found at the end of a session.

    Args:
        messages: lines for the user.
        tasks: what is worth doing before the next session.
        edited: paths, in the environment, of the files of the store that it edited through their links.
        affected: the sessions whose environments hold the same files, and so the edit.
    """

    messages: list[str] = field(default_factory=list)
    tasks: Tasks = field(default_factory=Tasks)
    edited: list[str] = field(default_factory=list)
    affected: list[str] = field(default_factory=list)

    @property
    def reach(self) -> str:
        """What to say of the edit's reach."""
        new = "It is out of the store: environments that are made from now on have the file as it was."
        if not self.affected:
            return new
        names = ", ".join(sorted(set(self.affected))[:_NAMED])
        more = len(set(self.affected)) - _NAMED
        names += f" and {more} more" if more > 0 else ""
        return f"{new} Those of {names} hold the edit too; they are made anew before they are used again."


def close(
    store: Store,
    prefix: str,
    receipt: Receipt | None,
    settings: Settings,
    environ: Mapping[str, str],
    *,
    began: float,
    untouched: bool = False,
    read: Mapping[str, Plan | Skeleton] = MappingProxyType({}),
) -> Closing:
    """Look at the environment at *prefix* after its session, which *began* so many seconds after the epoch.

    Objects that were edited through their links are taken out of the store at once, so that no other environment
    gets them; the next one that needs them fetches their wheel again.

    Args:
        untouched: whether nothing has run in it since it was made; each file was looked at then.
        read: plans and skeletons by name which have been read already.
    """
    closing = Closing()
    closing.tasks.trash.extend(find_trash(os.path.dirname(prefix)))
    if receipt is None or not os.path.isdir(store.layout.base):  # who has needed the store since has said so
        return closing
    check_places(receipt, prefix)
    closing.tasks.rehash = not on_ci(environ) and rehash_is_due(store, time.time())
    closing.tasks.journal_days = settings.journal_days if closing.tasks.rehash else 0.0
    if os.path.lexists(f"{store.layout.base}/{FOUND}"):
        closing.messages.extend(_found(store))
    layouts = [Layout(place) for place in receipt.places]
    bases = [layout.base for layout in layouts]
    modes_kept = keeps_modes(prefix)
    discarded = {number for layout in layouts for number in discarded_inodes(layout)}
    edited: dict[str, tuple[str, int, int]] = {}  # source -> path, size, modification time
    spread: list[str] = []
    replaced: list[str] = []
    removed: list[str] = []
    for content in contents(store, prefix, receipt, read=read):
        links = content.links
        if not untouched:
            at = content.current
            current = links if len(at) == len(links.paths) else links.selected(at)
            audit = audit_links(prefix, bases, current, modes_kept=modes_kept, discarded=discarded)
            for position in audit.edited:
                number = at[position]
                edited.setdefault(
                    links.sources[number], (links.paths[number], links.sizes[number], links.mtimes[number])
                )
            spread.extend(links.paths[at[position]] for position in audit.spread)
            replaced.extend(links.paths[at[position]] for position in audit.replaced)
            removed.extend(links.paths[at[position]] for position in audit.removed)
            if settings.bytecode:
                closing.tasks.compile.extend(_compile(prefix, content, receipt, environ, began))
        if settings.spares and _plain(receipt) and wants_prebuilt(store, prefix, content.name, links):
            closing.tasks.prebuilds.append(PrebuildTask(content.name, receipt.facts))
    closing.tasks.trash.extend(_leftovers(prefix))
    if edited:
        from nox_linkenv.env.registry import others_with

        inodes = {os.stat(f"{prefix}/{path}").st_ino for path, _, _ in edited.values()}
        closing.affected.extend(known.root.session for known in others_with(store, prefix, inodes))
    for source, (_, size, mtime) in edited.items():
        for layout in layouts:
            if not intact(f"{layout.base}/{source}", size=size, mtime=mtime, owner=owner_of(layout.base)):
                with contextlib.suppress(OSError):
                    discard(layout, source)
    closing.edited.extend(path for path, _, _ in edited.values())
    closing.messages.extend(_messages(receipt.session, closing, spread, replaced, removed))
    return closing


def _found(store: Store) -> Iterator[str]:
    """Yield a line about edits that upkeep has found since anyone was told."""
    from nox_linkenv.env.registry import others_with
    from nox_linkenv.maintenance.rehash import take_found

    found = take_found(store)
    if found:
        inodes = {inode for _, inode in found}
        closing = Closing(affected=[known.root.session for known in others_with(store, "", inodes)])
        count = "a stored file" if len(found) == 1 else f"{len(found)} stored files"
        where = f"{store.layout.base}/{found[0][0]}"
        yield (
            f"Upkeep has found {count} with other contents than when it was stored"
            f" ({where if len(found) == 1 else f'such as {where}'}). {closing.reach}"
        )


def _plain(receipt: Receipt) -> bool:
    """Return whether the environment is hard-linked from its own store, as spares are."""
    return receipt.modes == (LinkMode.HARDLINK.value,) and receipt.places == (receipt.store,)


def _messages(
    session: str, closing: Closing, spread: list[str], replaced: list[str], removed: list[str]
) -> Iterator[str]:
    if closing.edited:
        yield f"The session {session} edited {_count(closing.edited)} in place. {closing.reach}"
    if spread:
        yield (
            f"The environment of the session {session} has an edit in {_count(spread)} that was made through a link"
            " and found before. It is made anew the next time, also where it would be reused."
        )
    if replaced:
        yield f"The session {session} replaced {_count(replaced)}."
    if removed:
        yield f"The session {session} removed {_count(removed)}."


def _count(paths: list[str]) -> str:
    """Return how many files of installed packages these are, and the first of them."""
    if len(paths) == 1:
        return f"a file of an installed package, {paths[0]}"
    return f"{len(paths)} files of installed packages, such as {paths[0]}"


def _leftovers(prefix: str) -> Iterator[str]:
    """Move what remains of donors out of the environment and yield where it is."""
    ours = f"{prefix}/{DIRECTORY}"
    for entry in names_of(ours):
        if entry == "donor" or entry.endswith("-spare"):
            aside = trash_name(prefix)
            os.rename(f"{ours}/{entry}", aside)
            yield aside


def _compile(
    prefix: str, content: Content, receipt: Receipt, environ: Mapping[str, str], began: float
) -> Iterator[CompileTask]:
    """Yield the task to compile the modules of *content* whose bytecode the next environment should have.

    Those are the ones that this session imported; where its interpreters may leave no bytecode, that cannot be
    seen, and all of them are.
    """
    hidden = bool(environ.get("PYTHONDONTWRITEBYTECODE"))
    fresh = {} if hidden else fresh_bytecode(prefix, content.links.directories, since=began)
    if not hidden and not fresh:
        return
    modules = sources(content.links, content.empty, receipt.facts)
    wanted = sorted(modules if hidden else imported(modules, fresh, receipt.facts.cache_tag))
    if wanted:
        yield CompileTask(content.name, receipt.interpreter, receipt.facts, wanted, modules)
