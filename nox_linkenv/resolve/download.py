"""Having wheels from servers, several at a time, where it is known how pip reaches these.

pip says in its report where each wheel is and what its digest is; newer ones do not download it for that, where the
index has its metadata beside it (PEP 658).  What cannot be had here is left for pip to have, which has the words for
what is wrong, and longer patience.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from nox_linkenv.resolve.page_client import PARALLEL, UnreachableError, patience_of, pool_for
from nox_linkenv.resolve.report import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nox_linkenv.resolve.pages import Page
    from nox_linkenv.resolve.report import Resolved

__all__ = ["download"]

_BLOCK: Final = 1 << 18


def download(wanted: Sequence[Resolved], pages: Sequence[Page], environ: Mapping[str, str], directory: Path) -> None:
    """Put those of the wheels *wanted* that can be had, and are what their digests say, into *directory*.

    Args:
        pages: that pip read to find them.
        environ: the variables that pip ran with.
    """
    jobs = [
        (item, way)
        for item in wanted
        if item.origin is Origin.WHEEL and item.sha256 and (way := _way(item.url, pages, environ)) is not None
    ]
    if not jobs:
        return
    directory.mkdir(exist_ok=True)
    over = threading.Event()

    def get(job: tuple[Resolved, Page]) -> None:
        item, way = job
        target = directory / item.file_name
        with contextlib.suppress(OSError, HTTPError, UnreachableError, ValueError):
            if not _get(item, way, environ, f"{target}.part", over):
                return
            os.replace(f"{target}.part", target)

    with ThreadPoolExecutor(min(PARALLEL, len(jobs)), "linkenv-download") as pool:
        try:
            list(pool.map(get, jobs))
        except BaseException:  # such as an interrupt: the others are to end, too
            over.set()
            raise


def _get(item: Resolved, way: Page, environ: Mapping[str, str], path: str, over: threading.Event) -> bool:
    """Write the wheel *item* to *path*; return whether it is the one that pip means."""
    headers = {"User-Agent": "nox-linkenv", "Accept-Encoding": "identity"}
    pool, patience = pool_for(way, environ), patience_of(environ)
    timeout = Timeout(connect=patience, read=patience)
    response = pool.request("GET", way.url, headers=headers, preload_content=False, timeout=timeout)
    digest = hashlib.sha256()
    try:
        if response.status != 200:
            return False
        with open(path, "xb") as stream:
            for block in response.stream(_BLOCK, decode_content=False):
                if over.is_set():
                    return False
                digest.update(block)
                stream.write(block)
    finally:
        response.close()
    return digest.hexdigest() == item.sha256


def _way(url: str, pages: Sequence[Page], environ: Mapping[str, str]) -> Page | None:
    """Return how pip would reach the file at *url*; ``None`` where that cannot be told from the *pages* that it read.

    On a page's own server a file is reached as the page was, elsewhere in the plain way, where there is one only.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not pages or any(page.authorized for page in pages):
        return None
    page = next((page for page in pages if urlsplit(page.url)[:2] == parts[:2]), None)
    if page is not None:
        return replace(page, url=url)
    plain = pages[0].proxy is None and not any(name.lower().endswith("_proxy") for name in environ)
    return replace(pages[0], url=url, insecure=False) if plain else None
