"""Wheels on their way into the store: several come at a time, and each is stored while others still come.

It begins while pip still resolves.  What pip downloads for that is stored at once.  Newer pips do not download wheels
where the index has their metadata beside them (PEP 658); a wheel whose metadata pip asks for it most likely wants.
Nothing is decided by that: what pip does not name in its answer stays unused, and what has another digest than pip says
is not taken.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from urllib3.exceptions import HTTPError

from nox_linkenv.errors import StoreUnwritableError, WheelError
from nox_linkenv.progress import doing
from nox_linkenv.resolve.download import Traffic, Wanted, get, way_to
from nox_linkenv.resolve.page_client import PARALLEL, UnreachableError
from nox_linkenv.resolve.record import KEPT, ObstacleError, page_in
from nox_linkenv.resolve.report import file_name_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from nox_linkenv.resolve.pages import Page
    from nox_linkenv.store import Manifest, Store

    _Storing = Future[Manifest | None]

__all__ = ["Arrivals", "arriving"]

#: Seconds between two looks at what pip has read.
_PAUSE: Final = 0.02
#: Wheels of one project that are begun to be had while pip looks for the one that fits.
_TRIES: Final = 2
_METADATA: Final = ".metadata"


@contextlib.contextmanager
def arriving(store: Store, record: str, environ: Mapping[str, str], directory: Path) -> Iterator[Arrivals]:
    """Have wheels come while the context lasts, the first ones by what is written to *record*.

    Args:
        record: of the observer, which need not exist yet.
        environ: the variables that pip runs with.
        directory: for wheels, not in use for anything else; it need not exist.
    """
    arrivals = Arrivals(store, environ, directory)
    try:
        if store.remote is None:  # else that may have them
            arrivals.follow(record)
        yield arrivals
    finally:
        arrivals.close()


class Arrivals:
    """Wheels that are coming.

    Args:
        store: that they are for.
        environ: the variables that pip runs with.
        directory: where they arrive.
    """

    def __init__(self, store: Store, environ: Mapping[str, str], directory: Path) -> None:
        self._store = store
        self._environ = environ
        self._directory = directory
        self._traffic = Traffic()
        self._downloading = ThreadPoolExecutor(PARALLEL, "linkenv-download")
        # Hashing and inflating release the interpreter's lock.
        self._storing = ThreadPoolExecutor(os.cpu_count() or 1, "linkenv-store")
        self._over: dict[str, threading.Event] = {}
        self._coming: dict[str, Future[_Storing | None]] = {}
        self._names: dict[str, list[str]] = {}
        self._downloaded: dict[str, str] = {}
        self._ended = threading.Event()
        self._follower: threading.Thread | None = None

    def follow(self, record: str) -> None:
        """Have the wheels come whose metadata pip asks for, as *record* says from now on."""
        self._follower = threading.Thread(target=self._follow, args=(record,), name="linkenv-follow", daemon=True)
        self._follower.start()

    def _follow(self, record: str) -> None:
        pages: list[Page] = []
        kept, position = Path(record).parent / "wheels", 0
        while not self._ended.wait(_PAUSE):
            with contextlib.suppress(OSError), open(record, "rb") as stream:
                stream.seek(position)
                lines, end, _ = stream.read().rpartition(b"\n")
                position += len(lines) + len(end)
                for line in lines.splitlines():
                    with contextlib.suppress(ObstacleError, ValueError, KeyError):
                        self._note(json.loads(line), pages, kept)

    def _note(self, entry: Mapping[str, Any], pages: list[Page], kept: Path) -> None:
        if KEPT in entry:
            digest = self._downloaded.get(entry[KEPT])
            if digest is not None and digest not in self._coming and self._store.manifest(digest) is None:
                here: Future[_Storing | None] = Future()
                self._coming[digest] = here
                here.set_result(self._storing.submit(self._put, kept / entry[KEPT], digest))
            return
        wheel, asked = _wheel_of(entry)
        if wheel is not None and not asked:
            self._downloaded[wheel.file_name] = wheel.sha256
        elif wheel is not None:
            tried = self._names.setdefault(wheel.name, [])
            if wheel.sha256 not in tried and len(tried) < _TRIES and self._store.manifest(wheel.sha256) is None:
                for former in tried:
                    self._over[former].set()
                if self._want(wheel, pages):
                    tried.append(wheel.sha256)
        elif "end" not in entry and (page := page_in(entry)) is not None:
            pages.append(page)

    def finish(self, wanted: Iterable[Wanted], answer: Collection[str], pages: list[Page]) -> list[Manifest]:
        """Have those *wanted*, too; wait for all of the *answer*, and return what has been stored of it.

        Whatever cannot be had, or not be stored, is not among it.

        Args:
            answer: digests of wheels.
            pages: that pip has read to find them.
        """
        self._end_following()
        dropped = {digest for digest, over in self._over.items() if over.is_set()}
        for digest, over in self._over.items():
            if digest not in answer:
                over.set()
        for wheel in wanted:
            if wheel.sha256 not in self._coming or wheel.sha256 in dropped:
                self._want(wheel, pages)
        coming = [self._coming[digest] for digest in answer if digest in self._coming]
        stored: list[Manifest] = []
        with doing("downloading wheels") as step:
            self._traffic.show(step, len(coming))
            storing = [future for one in coming if (future := one.result()) is not None]
            self._traffic.step = None
            for number, future in enumerate(storing, 1):
                step.text = f"storing wheels: {number - 1} of {len(storing)} are stored"
                if (manifest := future.result()) is not None:
                    stored.append(manifest)
        return stored

    def close(self) -> None:
        """End whatever is coming."""
        self._end_following()
        for over in self._over.values():
            over.set()
        self._downloading.shutdown(cancel_futures=True)
        self._storing.shutdown(cancel_futures=True)

    def _end_following(self) -> None:
        self._ended.set()
        if self._follower is not None:
            self._follower.join()

    def _want(self, wheel: Wanted, pages: list[Page]) -> bool:
        """Have *wheel* come; return whether it is known how."""
        way = way_to(wheel.url, pages, self._environ)
        if way is None:
            return False
        over = self._over[wheel.sha256] = threading.Event()
        self._coming[wheel.sha256] = self._downloading.submit(self._have, wheel, way, over)
        return True

    def _have(self, wheel: Wanted, way: Page, over: threading.Event) -> _Storing | None:
        if over.is_set():
            return None
        target = self._directory / wheel.file_name
        part = f"{target}.{threading.get_ident()}.part"
        with contextlib.suppress(OSError, HTTPError, UnreachableError, ValueError), self._traffic.of(wheel) as came:
            self._directory.mkdir(exist_ok=True)
            if get(wheel, way, self._environ, part, over, came):
                os.replace(part, target)
                return self._storing.submit(self._put, target, wheel.sha256)
        return None

    def _put(self, path: Path, digest: str) -> Manifest | None:
        """Store the wheel at *path*, ``None`` where it is refused: what becomes of that depends on pip's answer."""
        try:
            return self._store.add(path, digest=digest)
        except (WheelError, StoreUnwritableError):
            return None


def _wheel_of(entry: Mapping[str, Any]) -> tuple[Wanted | None, bool]:
    """Return the wheel that *entry* tells of, if any, and whether pip has had but the metadata of it."""
    url, digest = entry.get("url", ""), entry.get("sha256")
    of_metadata = url.endswith(_METADATA)
    url = url.removesuffix(_METADATA)
    if not entry.get("listed") or not digest or not url.endswith(".whl"):
        return None, False
    file_name = file_name_in(url)
    return Wanted(file_name.partition("-")[0], url, file_name, digest), of_metadata
