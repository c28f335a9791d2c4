"""The process that writes into the remote store what the last run used; no session waits for it, or fails by it."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from nox_linkenv.config import load_settings
from nox_linkenv.env.registry import find_known
from nox_linkenv.errors import LinkenvError, SettingsError
from nox_linkenv.remote.bucket import Bucket
from nox_linkenv.remote.signing import KEY_VARIABLE, private_key
from nox_linkenv.remote.writing import Pushed, push
from nox_linkenv.store import Store
from nox_linkenv.transfer.selection import last_run, select

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nox_linkenv.config import Settings
    from nox_linkenv.transfer.selection import Wanted

__all__ = ["upload"]


def upload(store: Store, settings: Settings, wanted: Wanted, *, progress: Callable[[str], None]) -> Pushed:
    """Write what is *wanted* of *store* into the remote store of *settings*.

    Raises:
        SettingsError: there is no remote store, or no private key.
        RemoteError: the remote store cannot be written.
        ArchiveError: a file of the store has gone or is damaged.
    """
    if not settings.remote:
        raise SettingsError(
            "No remote store is set", remedy="Set remote in your own file of settings, or LINKENV_REMOTE."
        )
    key = private_key(settings)
    if key is None:
        raise SettingsError(
            "There is no private key to sign with",
            remedy=f"linkenv remote key makes one; on other machines set the variable {KEY_VARIABLE}.",
        )
    return push(store, select(store, wanted), Bucket(settings.remote, making=True), key, progress=progress)


def main(arguments: Sequence[str]) -> int:
    """Write what the last run used of the store with the root named first, with those named after below."""
    root, *lower = arguments
    store = Store.open(root, lower=lower)
    with contextlib.suppress(LinkenvError, OSError):
        upload(store, load_settings(), last_run(store, find_known(store)), progress=lambda _: None)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
