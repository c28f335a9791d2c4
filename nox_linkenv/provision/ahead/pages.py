"""The pages of indexes that the next sessions' answers stand on are asked for while this session goes on.

A session whose answer was too old is most likely followed by others with answers as old.  Only what the store knows of
pages is renewed: whether an answer stands is judged by the session itself, which need not ask for them any more.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from nox_linkenv.env.receipt import read_receipt
from nox_linkenv.resolve.cache import load_resolution
from nox_linkenv.resolve.page_client import UnreachableError, ask_pages
from nox_linkenv.resolve.pages import PageState, load_state, save_state
from nox_linkenv.resolve.record import means_digest
from nox_linkenv.store.layout import RESOLUTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nox_linkenv.store import Store

__all__ = ["ask_ahead", "old_pages"]

#: Answers that are looked at, and pages that are asked for, at most.
_ANSWERS: Final = 2000
_PAGES: Final = 400
_guard = threading.Lock()
_begun: set[str] = set()


def ask_ahead(
    store: Store, prefixes: Sequence[str], environ: Mapping[str, str], indexes: Sequence[str], *, age: float
) -> None:
    """Begin to ask for the old pages of the answers in the environments at *prefixes*, once in a process.

    The thread ends with the process, and holds nothing that anyone waits for.

    Args:
        environ: the variables that pip would run with.
        indexes: URLs of the indexes, which may hold a user name and password.
        age: how old, in seconds, what is known of a page may be.
    """
    with _guard:
        if store.layout.root in _begun:
            return
        _begun.add(store.layout.root)

    def work() -> None:
        with contextlib.suppress(UnreachableError, OSError):  # the session asks for itself, and says what is wrong
            states = old_pages(store, prefixes, environ, age=age)
            for state in ask_pages(states, environ, indexes, now=time.time()):
                save_state(store, state)

    threading.Thread(target=work, name="linkenv-ahead", daemon=True).start()


def old_pages(store: Store, prefixes: Sequence[str], environ: Mapping[str, str], *, age: float) -> list[PageState]:
    """Return what is known of the pages, older than *age*, that the answers in the environments at *prefixes* stand on.

    Those that were reached by other means than *environ* says are not among them.
    """
    plans = {plan for prefix in prefixes for plan in _plans(prefix)}
    if not plans:
        return []
    names: dict[str, None] = {}
    means, now = means_digest(environ), time.time()
    for digest in _digests(store):
        answer = load_resolution(store, digest)
        if answer is not None and answer.plan in plans and not answer.pinned and answer.reading.means == means:
            names.update(dict.fromkeys(name for name, _ in answer.reading.pages))
    states = [state for name in names if (state := load_state(store, name)) is not None]
    old = [state for state in states if not 0 <= now - state.time < age and urlsplit(state.page.url).scheme != "file"]
    return old[:_PAGES]


def _plans(prefix: str) -> Sequence[str]:
    receipt = read_receipt(prefix)
    return () if receipt is None else receipt.plans


def _digests(store: Store) -> Iterator[str]:
    """Yield the keys of remembered answers."""
    number = 0
    for top, _, names in os.walk(store.layout.directory(RESOLUTIONS.name)):
        for name in names:
            number += 1
            if number > _ANSWERS:
                return
            yield os.path.basename(top) + name.removesuffix(".json")
