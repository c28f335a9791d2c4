"""Asking whether pages are still what they were: all at once, over kept connections.

pip's own copy of requests stands on urllib3, too, so that proxies, certificates and redirections mean the same here.
Imported only where an answer is to be renewed, or a wheel is to be had.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import queue
import ssl
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urljoin, urlsplit

import urllib3
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import Retry, Timeout, make_headers

from nox_linkenv.resolve.pages import GONE, Page, PageState
from nox_linkenv.resolve.record import netrc_files
from nox_linkenv.resolve.specifiers import bare

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["PARALLEL", "UnreachableError", "ask_pages", "patience_of", "pool_for"]

#: Connections to one server, and pages that are asked for at once.
PARALLEL: Final = 8
#: Seconds that one step of an answer may take at most, and how many of them all.  pip is asked then, and waits longer.
_STEP: Final = 5.0
_WHOLE: Final = 3
_BLOCK: Final = 1 << 18
_RETRIES: Final = Retry(connect=1, read=1, redirect=20, status=0, other=0, backoff_factor=0)


class UnreachableError(Exception):
    """A page cannot be asked for as pip asked for it."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How a server is reached; what is needed to reach another in the same way.

    Attributes:
        proxy: with user name and password.
        verify, cert, insecure: as :class:`~nox_linkenv.resolve.pages.Page` has them.
        trusted: values of SSL_CERT_FILE and SSL_CERT_DIR.
    """

    proxy: str | None
    verify: str | bool
    cert: str | tuple[str, ...] | None
    insecure: bool
    trusted: tuple[str | None, str | None]


class _SilentConnection(HTTPSConnection):
    """Does not warn of a server whose certificate is not checked: the user wants it so, nor does pip warn."""

    @property
    def is_verified(self) -> bool:
        return True

    @is_verified.setter
    def is_verified(self, value: bool) -> None:
        """What is so is not told."""


class _SilentPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SilentConnection


_guard = threading.Lock()
_pools: dict[_Way, urllib3.PoolManager] = {}


def ask_pages(
    states: Sequence[PageState], environ: Mapping[str, str], indexes: Sequence[str], *, now: float
) -> Iterator[PageState]:
    """Yield what pages are now, in the order in which the answers come.

    Args:
        states: what they were.
        environ: the variables that pip would run with.
        indexes: URLs of indexes, which may hold a user name and password.
        now: seconds since the epoch.

    Raises:
        UnreachableError: one cannot be asked for, or is not answered in time, or in a way that pip might not take as
            it was taken here.
    """
    prepared = [(state, pool_for(state.page, environ), _headers(state, environ, indexes)) for state in states]
    patience = patience_of(environ)
    waiting = iter(prepared)
    found: queue.SimpleQueue[PageState | Exception] = queue.SimpleQueue()
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            with _guard:
                job = next(waiting, None)
            if job is None:
                return
            try:
                found.put(_ask(*job, patience=patience, now=now))
            except Exception as error:  # noqa: BLE001 # whatever it is, there is no answer, and pip is asked
                found.put(error)

    for _ in range(min(PARALLEL, len(prepared))):
        threading.Thread(target=work, name="linkenv-pages", daemon=True).start()
    deadline = time.monotonic() + _WHOLE * patience
    try:
        for _ in prepared:
            try:
                result = found.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise UnreachableError("the index takes too long") from None
            if isinstance(result, Exception):
                raise UnreachableError(str(result)) from result
            yield result
    finally:
        over.set()


def patience_of(environ: Mapping[str, str]) -> float:
    """Return the seconds that one step of an answer may take: never more than pip would wait."""
    for name in ("PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT"):
        with contextlib.suppress(KeyError, ValueError):
            return min(_STEP, max(0.1, float(environ[name])))
    return _STEP


def _ask(
    state: PageState, pool: urllib3.PoolManager, headers: dict[str, str], *, patience: float, now: float
) -> PageState:
    url = state.page.url
    timeout = Timeout(connect=patience, read=patience)
    response = pool.request("GET", url, headers=headers, preload_content=False, timeout=timeout)
    digest = hashlib.sha256()
    try:
        for block in response.stream(_BLOCK, decode_content=response.status == 200):
            digest.update(block)
    except BaseException:
        response.close()  # half of an answer is still to come
        raise
    final = url
    for step in response.retries.history if response.retries else ():
        final = urljoin(final, step.redirect_location or "")
    final = urlsplit(final)._replace(fragment="").geturl()
    if response.status == 304 and state.etag is not None and final == state.final:
        return state.seen(now)
    if response.status not in (200, *GONE):
        raise UnreachableError(f"{url} is answered with the status {response.status}")
    kind, etag = response.headers.get("Content-Type"), response.headers.get("ETag")
    identity = PageState.identify(response.status, final, kind, digest.hexdigest())
    return PageState(state.page, identity, final, etag, now)


def pool_for(page: Page, environ: Mapping[str, str]) -> urllib3.PoolManager:
    """Return connections to the server of *page*, which are kept until the process ends.

    Raises:
        UnreachableError: there are none of the kind.
    """
    trusted = (environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR"))
    way = _Way(_proxy(page, environ), page.verify, page.cert, page.insecure, trusted)
    with _guard:
        if way not in _pools:
            if not _pools:
                atexit.register(_close)
            try:
                _pools[way] = _pool(way)
            except (OSError, ValueError, HTTPError) as error:  # no such certificates
                raise UnreachableError(str(error)) from error
        return _pools[way]


def _pool(way: _Way) -> urllib3.PoolManager:
    context = _context(way)
    if way.proxy is None:
        pool = urllib3.PoolManager(10, maxsize=PARALLEL, ssl_context=context, retries=_RETRIES)
    else:
        user = urlsplit(way.proxy)
        headers = make_headers(proxy_basic_auth=_basic(user.username, user.password)) if user.username else None
        pool = urllib3.ProxyManager(
            bare(way.proxy), 10, proxy_headers=headers, maxsize=PARALLEL, ssl_context=context, retries=_RETRIES
        )
    if context.verify_mode is ssl.CERT_NONE:
        pool.pool_classes_by_scheme = {**pool.pool_classes_by_scheme, "https": _SilentPool}
    return pool


def _context(way: _Way) -> ssl.SSLContext:
    if way.verify is not True and way.verify:
        place = str(way.verify)
        directory = os.path.isdir(place)
        context = ssl.create_default_context(cafile=None if directory else place, capath=place if directory else None)
    elif any(way.trusted):
        context = ssl.create_default_context(cafile=way.trusted[0], capath=way.trusted[1])
    elif sys.platform in {"darwin", "win32"}:
        import truststore

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        context = ssl.create_default_context()
    if way.insecure or way.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if way.cert is not None:
        files = (way.cert,) if isinstance(way.cert, str) else way.cert
        context.load_cert_chain(*files)
    return context


def _proxy(page: Page, environ: Mapping[str, str]) -> str | None:
    """Return the proxy of *page* with user name and password, which variables tell."""
    if page.proxy is None:
        return None
    if urlsplit(page.proxy).scheme not in {"http", "https"}:
        raise UnreachableError(f"{page.proxy} is no proxy for HTTP")
    if not page.proxy_authorized:
        return page.proxy
    for value in environ.values():
        if "@" in value and page.proxy in (bare(value), bare(f"http://{value}")):
            return value if "://" in value else f"http://{value}"
    raise UnreachableError(f"who asks the proxy {page.proxy} is not known")


def _headers(state: PageState, environ: Mapping[str, str], indexes: Sequence[str]) -> dict[str, str]:
    headers = {
        "User-Agent": "nox-linkenv",
        "Accept-Encoding": "gzip, deflate",
        "Cache-Control": "max-age=0",
    }
    if state.page.accept is not None:
        headers["Accept"] = state.page.accept
    if state.etag is not None:
        headers["If-None-Match"] = state.etag
    if state.page.authorized:
        headers |= make_headers(basic_auth=_credentials(state.page.url, environ, indexes))
    return headers


def _credentials(url: str, environ: Mapping[str, str], indexes: Sequence[str]) -> str:
    """Return ``user:password`` for *url* from the URL of its index, or from the netrc file.

    pip asks a keyring after these, which is not done here.

    Raises:
        UnreachableError: neither knows.
    """
    for index in indexes:
        parts = urlsplit(index)
        if parts.username and url.startswith(bare(index)):
            return _basic(parts.username, parts.password)
    import netrc

    for place in netrc_files(environ):
        with contextlib.suppress(OSError, netrc.NetrcParseError):
            found = netrc.netrc(place).authenticators(urlsplit(url).hostname or "")
            if found is not None:
                return f"{found[0] or found[1] or ''}:{found[2] or ''}"
            break
    raise UnreachableError(f"who asks {urlsplit(url).netloc} is not known")


def _basic(user: str | None, password: str | None) -> str:
    return f"{unquote(user or '')}:{unquote(password or '')}"


def _close() -> None:
    for pool in _pools.values():
        pool.clear()
