"""From settings to the stores and the link mode of one environment, and what symlinked environments need besides."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from nox_linkenv.config import default_store_root
from nox_linkenv.env.assembly.assembler import Assembler, write_private
from nox_linkenv.errors import EnvError, StoreUnwritableError
from nox_linkenv.linking import LinkMode, probe_hardlink
from nox_linkenv.store import Store
from nox_linkenv.store.layout import OBJECTS, Layout

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from nox_linkenv.config import Settings
    from nox_linkenv.env.receipt import Receipt

__all__ = ["assembler_for", "block_removal", "check_places", "open_store", "serves", "with_link_source"]

#: In site-packages of a symlinked environment: without its store its modules are not there, and directories of
#: nothing but broken symlinks would be imported as empty namespace packages.
_GUARD_NAME: Final = "_linkenv_store.pth"
_GUARD: Final = (
    "import os, sys; all(map(os.path.exists, {places!r})) or (sys.stderr.write({message!r}), sys.stderr.flush(),"
    " os._exit(1))\n"
)
_GONE: Final = "The store that files of this environment are symlinks into is gone or not the same"
_REMEDY: Final = "Put it back, or have the environment made anew."


def open_store(settings: Settings) -> Store:
    """Open the store of *settings*, with what is below it.

    A store which cannot be written is below the user's own, at the default place.

    Raises:
        StoreError: a store cannot be used.
    """
    store = Store.open(settings.store_root, lower=settings.lower_roots)
    if store.writable:
        return store
    own = default_store_root()
    if os.path.realpath(own) == os.path.realpath(store.layout.root):
        return store
    try:
        return Store.open(own, lower=(settings.store_root, *settings.lower_roots))
    except StoreUnwritableError:
        return store  # which serves what it has


def assembler_for(prefix: str, store: Store, settings: Settings) -> tuple[Assembler, str | None]:
    """Return what builds the environment at *prefix*, and a line for the user where that is out of the ordinary.

    Raises:
        StoreUnwritableError: the companion store cannot be made.
    """
    parent = os.path.dirname(prefix)
    if settings.link_mode in (LinkMode.AUTO, LinkMode.HARDLINK) and _plain_hardlinks(store.layout, parent):
        return Assembler(prefix, store.layout, behind=store.lower), None
    from nox_linkenv.store.link_policy import arrange

    found = arrange(settings.link_mode, store.layout, parent, settings.companion)
    if not found.companion:
        return Assembler(prefix, store.layout, mode=found.mode, behind=store.lower, since=found.since), found.explain()
    from nox_linkenv.store.layers import open_companion

    known = os.path.isdir(found.source)
    companion = open_companion(found.source, store)
    assembler = Assembler(prefix, companion.layout, mode=found.mode, behind=store.layers, since=found.since)
    return assembler, None if known else found.explain()


def _plain_hardlinks(layout: Layout, directory: str) -> bool:
    """Return whether hard links from the store work in *directory* and nothing else needs a thought.

    The quick answer of the usual case, in three system calls: it is the first one that
    :func:`~nox_linkenv.store.link_policy.decide` would try.  The store's device has a number of its own, so that it is
    no overlay.
    """
    return (
        sys.platform != "win32"
        and os.major(os.stat(layout.base).st_dev) != 0
        and probe_hardlink(layout.probe, directory) is None
    )


def block_removal(store: Store, assembler: Assembler) -> AbstractContextManager[None]:
    """Hold off removal from the store while an environment needs files in it and has no receipt that says so."""
    return store.locked() if assembler.mode is LinkMode.SYMLINK else nullcontext()


def serves(receipt: Receipt, assembler: Assembler) -> bool:
    """Return whether the environment with *receipt* was linked as *assembler* links, from the same stores."""
    return receipt.modes == (assembler.mode.value,) and receipt.places == _places(assembler)


def with_link_source(receipt: Receipt, assembler: Assembler) -> Receipt:
    """Return *receipt* with how *assembler* has linked files, and guard a symlinked environment."""
    modes = dict.fromkeys((*(receipt.modes if receipt.sources else ()), assembler.mode.value))
    sources = dict.fromkeys((*receipt.sources, *_places(assembler)))
    receipt = replace(receipt, modes=tuple(modes), sources=tuple(sources))
    if receipt.symlinked:
        _write_guard(receipt, assembler.prefix)
    return receipt


def _places(assembler: Assembler) -> tuple[str, ...]:
    """Return the roots of the stores whose files the environment may hold."""
    behind = assembler.behind if assembler.mode is LinkMode.SYMLINK else ()
    return (assembler.layout.root, *(layout.root for layout in behind if os.path.isdir(layout.base)))


def check_places(receipt: Receipt, prefix: str) -> None:
    """Make sure that the stores are there which a symlinked environment needs.

    Raises:
        EnvError: one is not: it has been moved or removed.
    """
    if receipt.symlinked and not all(map(os.path.exists, _needed(receipt))):
        raise EnvError(f"{_GONE} ({', '.join(receipt.places)})", path=prefix, remedy=_REMEDY)


def _needed(receipt: Receipt) -> list[str]:
    """Return paths that are there as long as the stores are those which the environment was made from.

    The objects' directories are not enough: whoever opens a store where there is none makes an empty one.
    """
    layouts = [Layout(place) for place in receipt.places]
    needed = [layout.directory(OBJECTS.name) for layout in layouts]
    for name in (receipt.skeleton, *receipt.plans):
        if name is not None:
            paths = [f"{layout.base}/{name}" for layout in layouts]
            needed.append(next(filter(os.path.exists, paths), paths[0]))
    return needed


def _write_guard(receipt: Receipt, prefix: str) -> None:
    """Have the interpreter of a symlinked environment say so, and stop, when its store is gone."""
    message = f"{_GONE}: {', '.join(receipt.places)}. {_REMEDY} (environment {prefix})\n"
    path = f"{prefix}/{receipt.facts.site_packages[0]}/{_GUARD_NAME}"
    write_private(path, _GUARD.format(places=_needed(receipt), message=message).encode(), executable=False)
