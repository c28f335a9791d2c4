"""Pages: what indexes and lists of links have answered, remembered by URL and by how they were reached.

One page serves every answer that rests on it.  So it is had once, and what one session has found of it spares the
others of a run the question.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.store.layout import PAGES
from nox_linkenv.store.notes import optional, seconds, string, strings

if TYPE_CHECKING:
    from nox_linkenv.store import Store

__all__ = ["GONE", "Page", "PageState", "load_state", "parse_state", "save_state"]

#: Statuses of HTTP with which an index says that it does not have a project, and pip goes on without the page.
GONE: Final = (404, 410)


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and how it is reached: by another way there may be another page.

    Attributes:
        url: of the page, without user name, password and fragment.
        accept: the header that says which form of it is wanted (PEP 691), ``None`` for none.
        proxy: URL of the proxy, without user name and password, ``None`` for none.
        proxy_authorized: whether the proxy is told who asks.
        authorized: whether the index is told who asks.
        verify: what the server's certificate is checked with: a file or directory, or ``True`` for the usual.
        cert: a file with a certificate of the one who asks, or that and one with its key; ``None`` for none.
        insecure: whether the server's certificate is not checked at all.
    """

    url: str
    accept: str | None = None
    proxy: str | None = None
    proxy_authorized: bool = False
    authorized: bool = False
    verify: str | bool = True
    cert: str | tuple[str, ...] | None = None
    insecure: bool = False

    @property
    def name(self) -> str:
        """The name of the file that its state is kept in, relative to the store's format directory."""
        digest = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()
        return PAGES.file(digest[:40])


@dataclass(frozen=True, slots=True)
class PageState:
    """What a page was when it was last looked at.

    Attributes:
        page: which.
        identity: digest of all in the answer that pip's own answer can depend on, see :meth:`identify`.
        final: its URL after redirections, without user name, password and fragment.
        etag: the server's name for this state of the page (RFC 9110, 8.8.3), ``None`` where it gave none.
        time: when it was asked for, in seconds since the epoch; 0 where it came from a cache of pip's.
    """

    page: Page
    identity: str
    final: str
    etag: str | None
    time: float

    @staticmethod
    def identify(status: int, final: str, kind: str | None, digest: str) -> str:
        """Return the identity of an answer.

        Args:
            status: of HTTP.  The text of one that is not 200 is not looked at by pip either.
            final: URL after redirections, to which the links on the page are relative.
            kind: the content type, which says how the page is to be read.
            digest: hexadecimal SHA-256 of the content.
        """
        parts: list[object] = [status, final, kind, digest] if status == 200 else [status]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def seen(self, time: float) -> PageState:
        """Return the same state, seen again at *time*."""
        return replace(self, time=time)


def load_state(store: Store, name: str) -> PageState | None:
    """Return the state kept in the file *name* of *store*, or ``None``."""
    return store.load(name, parse_state)


def parse_state(data: list[Any]) -> PageState:
    """Return the state that :func:`save_state` wrote as JSON; it raises what is wrong with *data*."""
    page, identity, final, etag, time = data
    cert, verify = page["cert"], page["verify"]
    found = Page(
        url=string(page["url"]),
        accept=optional(page["accept"]),
        proxy=optional(page["proxy"]),
        proxy_authorized=bool(page["proxy_authorized"]),
        authorized=bool(page["authorized"]),
        verify=verify if isinstance(verify, bool) else string(verify),
        cert=tuple(strings(cert)) if isinstance(cert, list) else optional(cert),
        insecure=bool(page["insecure"]),
    )
    return PageState(found, string(identity), string(final), optional(etag), seconds(time))


def save_state(store: Store, state: PageState) -> None:
    """Keep *state*, if the store can be written."""
    store.note(state.page.name, json.dumps([asdict(state.page), state.identity, state.final, state.etag, state.time]))
