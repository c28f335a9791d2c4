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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from nox_linkenv.progress import doing, megabytes
from nox_linkenv.resolve.page_client import PARALLEL, UnreachableError, patience_of, pool_for
from nox_linkenv.resolve.report import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from nox_linkenv.progress import Step
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
        with contextlib.suppress(OSError, HTTPError, UnreachableError, ValueError), traffic.of(item) as came:
            if not _get(item, way, environ, f"{target}.part", over, came):
                return
            os.replace(f"{target}.part", target)

    with (
        doing("downloading wheels") as step,
        ThreadPoolExecutor(min(PARALLEL, len(jobs)), "linkenv-download") as pool,
    ):
        traffic = _Traffic(step, len(jobs))
        try:
            list(pool.map(get, jobs))
        except BaseException:  # such as an interrupt: the others are to end, too
            over.set()
            raise


@dataclass(slots=True)
class _Transfer:
    """One wheel that is coming.

    Attributes:
        name: of its distribution.
        come: bytes that are here.
        size: bytes that it has, as far as the server says it.
    """

    name: str
    come: int = 0
    size: int = 0


class _Traffic:
    """What is coming, as it is shown.

    Args:
        step: that shows it.
        count: how many wheels there are to have.
    """

    def __init__(self, step: Step, count: int) -> None:
        self._step = step
        self._count = count
        self._coming: list[_Transfer] = []
        self._ended: list[_Transfer] = []

    @contextlib.contextmanager
    def of(self, item: Resolved) -> Iterator[Callable[[int, int], None]]:
        """Yield what takes how many bytes of the wheel *item* have come now, and how many there are."""
        transfer = _Transfer(item.name)

        def came(number: int, size: int) -> None:
            transfer.come += number
            transfer.size = size
            self._tell()

        self._coming.append(transfer)
        try:
            yield came
        finally:
            self._ended.append(transfer)
            self._coming.remove(transfer)
            self._tell()

    def _tell(self) -> None:
        coming, ended = list(self._coming), list(self._ended)
        come = sum(transfer.come for transfer in (*coming, *ended))
        names = ", ".join(f"{each.name} {megabytes(each.come)} of {megabytes(each.size)}" for each in coming)
        self._step.text = f"downloading wheels: {len(ended)} of {self._count}, {megabytes(come)}; {names}".rstrip("; ")


def _get(
    item: Resolved,
    way: Page,
    environ: Mapping[str, str],
    path: str,
    over: threading.Event,
    came: Callable[[int, int], None],
) -> bool:
    """Write the wheel *item* to *path*; return whether it is the one that pip means."""
    headers = {"User-Agent": "nox-linkenv", "Accept-Encoding": "identity"}
    pool, patience = pool_for(way, environ), patience_of(environ)
    timeout = Timeout(connect=patience, read=patience)
    response = pool.request("GET", way.url, headers=headers, preload_content=False, timeout=timeout)
    digest = hashlib.sha256()
    try:
        if response.status != 200:
            return False
        length = response.headers.get("Content-Length", "")
        size = int(length) if length.isdecimal() else 0
        with open(path, "xb") as stream:
            for block in response.stream(_BLOCK, decode_content=False):
                if over.is_set():
                    return False
                digest.update(block)
                stream.write(block)
                came(len(block), size)
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
