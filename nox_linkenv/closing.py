"""The end of a session: what it changed is said, and what the next one needs is noted for upkeep."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from nox_linkenv.config import Settings
from nox_linkenv.env.audit import audit_links, imported
from nox_linkenv.env.bytecode import sources
from nox_linkenv.env.links import Links
from nox_linkenv.env.plan import Plan
from nox_linkenv.env.receipt import DIRECTORY, Receipt
from nox_linkenv.env.skeleton import Skeleton
from nox_linkenv.env.spare import wants_spare
from nox_linkenv.store import Store
from nox_linkenv.trash import find_trash, trash_name
from nox_linkenv.upkeep import CompileTask, SpareTask, Tasks

__all__ = ["Closing", "close"]


@dataclass(slots=True)
class Closing:
    """What was found at the end of a session.

    Args:
        messages: lines for the user.
        tasks: what is worth doing before the next session.
    """

    messages: list[str] = field(default_factory=list)
    tasks: Tasks = field(default_factory=Tasks)


def close(
    store: Store, prefix: str, receipt: Receipt | None, settings: Settings, environ: Mapping[str, str]
) -> Closing:
    """Look at the environment at *prefix* after its session.

    Objects that were edited through their links are taken out of the store at once, so that no other environment
    gets them; the next one that needs them fetches their wheel again.
    """
    closing = Closing()
    closing.tasks.trash.extend(find_trash(os.path.dirname(prefix)))
    if receipt is None:
        return closing
    edited: list[str] = []
    changed: list[str] = []
    for name, links, empty in _parts(store, receipt):
        audit = audit_links(prefix, store.layout.base, links)
        for position in audit.edited:
            edited.append(links.paths[position])
            with contextlib.suppress(OSError):
                os.unlink(f"{store.layout.base}/{links.sources[position]}")
        changed.extend(links.paths[position] for position in audit.replaced)
        if settings.bytecode:
            modules = sources(links, empty, receipt.facts)
            seen = _wanted(prefix, modules, receipt, environ)
            if seen:
                closing.tasks.compile.append(CompileTask(name, receipt.interpreter, receipt.facts, seen, modules))
        if settings.spares and wants_spare(store, prefix, name, links):
            closing.tasks.spares.append(SpareTask(name, receipt.facts))
    closing.tasks.trash.extend(_leftovers(prefix))
    if edited:
        closing.messages.append(
            f"The session {receipt.session} edited {len(edited)} files of installed packages in place, such as"
            f" {edited[0]} in {prefix}. They have been taken out of the store; no other environment gets them."
        )
    if changed:
        closing.messages.append(
            f"The session {receipt.session} replaced {len(changed)} files of installed packages, such as {changed[0]}."
        )
    return closing


def _parts(store: Store, receipt: Receipt) -> Iterator[tuple[str, Links, list[str]]]:
    """Yield the stored skeleton and plans of an environment: name, links, and paths of empty files."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = store.read(receipt.skeleton) if receipt.skeleton else None
        if receipt.skeleton and text is not None:
            yield receipt.skeleton, Skeleton.loads(text).links, []
    for name in receipt.plans:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            text = store.read(name)
            if text is not None:
                plan = Plan.loads(text)
                yield name, plan.links, [path for path, _ in plan.empty]


def _leftovers(prefix: str) -> Iterator[str]:
    """Move what remains of donors out of the environment and yield where it is."""
    ours = f"{prefix}/{DIRECTORY}"
    for entry in os.listdir(ours):
        if entry == "donor" or entry.endswith("-spare"):
            aside = trash_name(prefix)
            os.rename(f"{ours}/{entry}", aside)
            yield aside


def _wanted(prefix: str, modules: Mapping[str, str], receipt: Receipt, environ: Mapping[str, str]) -> list[str]:
    """Return the paths of the modules whose bytecode the next environment should have.

    Those are the ones that this session imported; where its interpreters may leave no bytecode, that cannot be
    seen, and all of them are.
    """
    if environ.get("PYTHONDONTWRITEBYTECODE"):
        return sorted(modules)
    return sorted(imported(prefix, modules, receipt.facts.cache_tag))
