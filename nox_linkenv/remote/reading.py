"""Bringing entries of the remote store into this one, where something would be asked, fetched or built otherwise.

Whatever fails is a miss, which is told once in a run.  Where the remote store itself fails, it is not asked again.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from nox_linkenv.errors import ArchiveError, LinkenvError, RemoteError
from nox_linkenv.progress import doing
from nox_linkenv.remote.bucket import Bucket
from nox_linkenv.remote.signing import END, SignatureError, private_key, public, signer_and_signature, unsign
from nox_linkenv.store.temporary import temporary_directory
from nox_linkenv.transfer.take_in import needed_by, take_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nox_linkenv.config import Settings
    from nox_linkenv.store import Store

__all__ = ["Reader", "reader_of", "trusted"]

#: Entries that come at the same time.
_PARALLEL: Final = 8
_readers: dict[Settings, Reader] = {}
_guard: Final = threading.Lock()


def reader_of(settings: Settings) -> Reader:
    """Return what reads the remote store of *settings*: one in a process, so that it remembers what failed."""
    with _guard:
        return _readers.setdefault(settings, Reader(settings))


def trusted(settings: Settings) -> frozenset[str]:
    """Return the public keys that are trusted: those of *settings*, and that of the user's own private key.

    Raises:
        SettingsError: what should be the private key is none.
        RemoteError: cryptography is not installed.
    """
    own = private_key(settings)
    return frozenset((*settings.remote_keys, *([] if own is None else [public(own)])))


class Reader:
    """Reads the remote store of *settings* for this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bucket: Bucket | None = None
        self._trusted: frozenset[str] = frozenset()
        self._over = False
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self._asked: set[tuple[str, str]] = set()

    def seek(self, store: Store, names: Sequence[str]) -> bool:
        """Bring the entries *names*, and those that they need, into *store*; return whether any came.

        No entry is looked for twice.
        """
        with self._lock:
            if self._over or not self._opened(store):
                return False
        with doing("looking into the remote store"):
            return any(self._bring_all(store, names))

    def _opened(self, store: Store) -> bool:
        if self._bucket is None:
            try:
                self._trusted = trusted(self._settings)
                self._bucket = Bucket(self._settings.remote)
            except LinkenvError as error:
                self._give_up(store, error)
                return False
            if not self._trusted:
                self._give_up(
                    store,
                    RemoteError(
                        f"No key is trusted to write the remote store {self._settings.remote}",
                        remedy="Set remote-keys to the public key of its writer: linkenv remote key prints it there.",
                    ),
                )
                return False
        return True

    def _bring_all(self, store: Store, names: Iterable[str]) -> list[bool]:
        with self._lock:
            wanted = [name for name in dict.fromkeys(names) if (store.layout.root, name) not in self._asked]
            self._asked.update((store.layout.root, name) for name in wanted)
        if not wanted:
            return []
        with ThreadPoolExecutor(min(_PARALLEL, len(wanted)), "linkenv-remote") as pool:
            return list(pool.map(lambda name: self._bring(store, name), wanted))

    def _bring(self, store: Store, name: str) -> bool:
        """Bring the entry *name* into *store*, if it is there, right, and signed by somebody who is trusted."""
        assert self._bucket is not None
        if self._over:
            return False
        try:
            with temporary_directory(store.layout) as directory:
                path = os.path.join(directory, "entry")
                if not self._bucket.get(
                    name, path, end=END, check=lambda end: signer_and_signature(end, self._trusted)
                ):
                    return False
                unsign(path, name, self._trusted)
                has, needed = needed_by(path)
                if name not in has:
                    raise SignatureError("it does not hold what it is named by")
                lacking = [other for other in needed if store.find(other) is None]
                self._bring_all(store, lacking)
                if any(store.find(other) is None for other in lacking):
                    return False  # it is being written, or was removed
                take_in(store, path, progress=lambda _: None)
                return True
        except RemoteError as error:
            self._give_up(store, error)
        except SignatureError as error:
            self._tell(store, "signature", f"An entry of the remote store is not used, as {error} ({name}).")
        except ArchiveError as error:
            self._tell(store, "damage", f"An entry of the remote store is not used ({name}): {error.what}.")
        except (LinkenvError, OSError) as error:
            self._tell(store, "here", f"What is in the remote store cannot be stored here: {error}")
        return False

    def _give_up(self, store: Store, error: LinkenvError) -> None:
        self._over = True
        self._tell(store, "over", f"{error} It is not asked any more in this run.")

    def _tell(self, store: Store, kind: str, line: str) -> None:
        """Have *line* told with the next install, unless one of its *kind* was told before."""
        if kind not in self._told:
            self._told.add(kind)
            store.remarks.append(line)
