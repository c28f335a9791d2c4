"""Putting damaged objects right, before they reach another environment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from nox_linkenv.env.links import Links
from nox_linkenv.errors import DamagedObjectError
from nox_linkenv.resolve.arguments import Arguments
from nox_linkenv.resolve.memory import WheelSource
from nox_linkenv.resolve.pip import Pip
from nox_linkenv.store import Store

__all__ = ["repair"]


def repair(
    store: Store, damaged: Links, wheels: Sequence[WheelSource], arguments: Arguments, pip: Pip, *, offline: bool
) -> list[str]:
    """Store the wheels anew which the *damaged* objects belong to, and return lines that say what was found.

    The damaged objects are unlinked, never written: environments that hold them keep what they have.

    Raises:
        DamagedObjectError: a wheel cannot be had again.
    """
    from nox_linkenv.resolve.fetch import fetch_again

    wanted = set(damaged.sources)
    for source in wanted:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{store.layout.base}/{source}")
    concerned = []
    for wheel in wheels:
        manifest = store.manifest(wheel.digest)
        if manifest is None or any(store.layout.object(file.address).endswith(tuple(wanted)) for file in manifest.files):
            concerned.append(wheel)
    first = damaged.sources[0].removeprefix("objects/").replace("/", "")
    if offline or not fetch_again(store, concerned, arguments, pip):
        raise DamagedObjectError(
            f"{len(wanted)} stored files are missing or were changed, and their wheels cannot be fetched again",
            path=f"{store.layout.base}/{damaged.sources[0]}",
            digest=first[:64],
            remedy="Run again with the network there; the damaged files have been taken out of the store.",
        )
    names = ", ".join(sorted({wheel.name for wheel in concerned}))
    return [
        f"{len(wanted)} files of {names} in the store were missing or had been changed, such as {damaged.paths[0]};"
        " they have been fetched again and this environment has the right ones."
    ]
