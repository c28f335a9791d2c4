"""Damaged objects: finding out who changed them, and putting them right before they reach another environment."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from nox_linkenv.env.contents import contents
from nox_linkenv.env.receipt import donor_of, read_receipt
from nox_linkenv.errors import DamagedObjectError
from nox_linkenv.resolve.fetch import fetch_again
from nox_linkenv.store.layout import object_name
from nox_linkenv.store.objects import discard as discard_object
from nox_linkenv.store.roots import Root, find_roots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_linkenv.env.assembly.assembler import Assembler
    from nox_linkenv.env.links import Links
    from nox_linkenv.linking import LinkReport
    from nox_linkenv.resolve.cache import WheelSource
    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.resolve.pip_arguments import Arguments
    from nox_linkenv.store import Store

__all__ = ["discard", "link_again", "repair"]


def discard(store: Store, damaged: Links) -> str:
    """Take the *damaged* objects out of the store and return a clause that says what was found, and whose work it is.

    They are unlinked, never written: environments that hold them keep what they have.
    """
    wanted = list(dict.fromkeys(damaged.sources))
    culprit = _culprit(store, wanted)
    for source in wanted:
        discard_object(store.layout, source)
    count = "a stored file was" if len(wanted) == 1 else f"{len(wanted)} stored files were"
    where = "" if culprit is None else f", most likely by the session {culprit[0].session} in {culprit[1]}"
    return f"{count} missing or had been changed{where} (here it is {damaged.paths[0]})"


def repair(
    store: Store,
    plan: str,
    damaged: Links,
    wheels: Sequence[WheelSource],
    arguments: Arguments,
    pip: Pip,
    *,
    offline: bool,
) -> str:
    """Store the wheels anew which the *damaged* objects belong to, and return a line that says what was found.

    Args:
        plan: name of the stored plan, of *wheels*, that *damaged* is from.

    Raises:
        DamagedObjectError: a wheel cannot be had again, or none of them has such a file.
    """
    wanted = set(damaged.sources)
    found = discard(store, damaged)
    sources = {}
    for wheel in wheels:
        manifest = store.manifest(wheel.digest)
        sources[wheel] = wanted if manifest is None else {object_name(file.address) for file in manifest.files}
    if not wanted <= set().union(*sources.values()):
        store.drop(plan)
        raise DamagedObjectError(
            f"A stored plan has a file that none of its wheels has (it is for {damaged.paths[0]})",
            path=f"{store.layout.base}/{plan}",
            remedy="Run again: the plan is out of the store, and will be made anew.",
        )
    concerned = [wheel for wheel in wheels if not wanted.isdisjoint(sources[wheel])]
    if offline or not fetch_again(store, concerned, arguments, pip):
        address = damaged.sources[0].removeprefix("objects/").replace("/", "")
        raise DamagedObjectError(
            f"{found[0].upper()}{found[1:]}, and the wheel cannot be fetched again",
            path=f"{store.layout.base}/{damaged.sources[0]}",
            digest=address[:64],
            remedy="Run again with the network there; what was damaged is out of the store.",
        )
    names = ", ".join(sorted({wheel.name for wheel in concerned}))
    return f"{found[0].upper()}{found[1:]}; {names} has been fetched again and this environment is right."


def link_again(assembler: Assembler, links: Links, report: LinkReport) -> None:
    """Make *links*, whose objects have been stored again, and add to *report* what was copied.

    Raises:
        DamagedObjectError: they are damaged again.
    """
    again = assembler.link(links)
    if again.damaged:
        raise DamagedObjectError(
            "Stored files are gone again as soon as they have been stored",
            path=f"{assembler.layout.base}/{links.sources[again.damaged[0]]}",
            remedy="Something removes or edits the store's files; linkenv verify names them.",
        )
    report.copied.update(again.copied)


def _culprit(store: Store, sources: Sequence[str]) -> tuple[Root, str] | None:
    """Return the environment, and the file in it, through which one of *sources* was most likely changed.

    That is one that holds the same file and was in use when it was changed, or was the last to be used before.
    """
    changed: dict[tuple[int, int], tuple[str, float]] = {}
    for source in sources:
        with contextlib.suppress(OSError):
            status = os.stat(f"{store.layout.base}/{source}")
            changed[status.st_dev, status.st_ino] = (source, status.st_mtime)
    best: tuple[tuple[bool, float], Root, str] | None = None
    places = [(root, place) for root in find_roots(store) for place in (root.prefix, donor_of(root.prefix))]
    for root, place in places if changed else ():
        receipt = read_receipt(place)
        for content in contents(store, place, receipt) if receipt is not None else ():
            for path, source in zip(content.links.paths, content.links.sources, strict=True):
                if source not in sources:
                    continue
                with contextlib.suppress(OSError, KeyError):
                    status = os.lstat(f"{place}/{path}")
                    _, time = changed[status.st_dev, status.st_ino]
                    during = root.since <= time <= (root.until or time)
                    rank = (during, root.since if root.since <= time else -root.since)
                    if best is None or rank > best[0]:
                        best = (rank, root, f"{root.prefix}/{path}")
    return None if best is None else (best[1], best[2])
