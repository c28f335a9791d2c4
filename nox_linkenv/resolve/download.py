"""Having wheels from servers, several at a time, where it is known how pip reaches these.

pip says in its report where each wheel is and what its digest is; newer ones do not download it for that, where the
index has its metadata beside it (PEP 658).  What cannot be had here is left for pip to have, which has the words for
what is wrong, and longer patience.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from urllib3.util import Timeout

from nox_linkenv.progress import megabytes
from nox_linkenv.resolve.page_client import patience_of, pool_for

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nox_linkenv.progress import Step
    from nox_linkenv.resolve.pages import Page

__all__ = ["Traffic", "Wanted", "get", "way_to"]

_BLOCK: Final = 1 << 18


class Wanted(NamedTuple):
    """A wheel that is to be had.

    Args:
        name: of its distribution, for people.
        url: where it is.
        file_name: which names no other directory.
        sha256: hexadecimal digest that it has to have.
    """

    name: str
    url: str
    file_name: str
    sha256: str


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


class Traffic:
    """What is coming, as it is shown.

    Attributes:
        step: that shows it, ``None`` where nothing does; see :meth:`show`.
        count: how many wheels there are to have.
    """

    def __init__(self) -> None:
        self.step: Step | None = None
        self.count = 0
        self._coming: list[_Transfer] = []
        self._ended: list[_Transfer] = []

    def show(self, step: Step, count: int) -> None:
        """Show on *step* what is coming now, and will, of *count* wheels."""
        self.step, self.count = step, count
        self._tell()

    @contextlib.contextmanager
    def of(self, item: Wanted) -> Iterator[Callable[[int, int], None]]:
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
        step = self.step
        if step is None:
            return
        coming, ended = list(self._coming), list(self._ended)
        come = sum(transfer.come for transfer in (*coming, *ended))
        names = ", ".join(f"{each.name} {megabytes(each.come)} of {megabytes(each.size)}" for each in coming)
        step.text = f"downloading wheels: {len(ended)} of {self.count}, {megabytes(come)}; {names}".rstrip("; ")


def get(
    item: Wanted,
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


def way_to(url: str, pages: Sequence[Page], environ: Mapping[str, str]) -> Page | None:
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
