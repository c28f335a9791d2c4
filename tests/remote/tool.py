"""Keys, and what a machine does with a remote store, in this process."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from nox_linkenv.remote import reading
from nox_linkenv.remote.bucket import Bucket
from nox_linkenv.remote.writing import Pushed, push
from nox_linkenv.store import Store
from nox_linkenv.transfer.selection import EVERYTHING, select
from tests.provision.tool import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.provision.tool import Site

__all__ = ["KEY", "OTHER", "PUBLIC", "bucket_of", "entries", "fresh_process", "outdated", "pushed"]

KEY: Final = "11" * 32
OTHER: Final = "22" * 32
#: Of the private key KEY.
PUBLIC: Final = "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737"


def fresh_process() -> None:
    """Forget what this process has learned of remote stores, as a new one knows nothing."""
    reading._readers.clear()


def bucket_of(site: Site) -> Bucket:
    return Bucket(site.settings.remote, making=True)


def pushed(site: Site, key: str = KEY) -> Pushed:
    """Write all of the site's store into its remote one."""
    store = Store.open(site.store)
    return push(store, select(store, EVERYTHING), bucket_of(site), bytes.fromhex(key), progress=lambda _: None)


def entries(site: Site, kind: str = "") -> list[Path]:
    """Return the files of the entries of a *kind* in the directory that is the site's remote store."""
    return sorted((site.root / "remote" / "v2" / kind).rglob("*.zst"))


@contextlib.contextmanager
def outdated(site: Site) -> Iterator[tuple[dict[Path, bytes], float]]:
    """Write a resolution into the site's remote store, and, once its index has a newer version, what holds then.

    Yields:
        The entries as they were first, and a time at which only the later ones are fresh; the index answers meanwhile.
    """
    plain = replace(site.settings, remote="")
    with served(site) as index:
        index.publish("moved", "1.0")
        site.place().session(["moved"], settings=plain)
        pushed(site)
        old = {path: path.read_bytes() for path in entries(site)}
        index.publish("moved", "2.0")
        later = time.time() + 700
        assert site.place().session(["moved"], settings=plain, now=later).calls
        pushed(site)
        yield old, later
