"""What becomes of a stored file through a link, and by which check it is found: the table in the documentation."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from nox_linkenv.maintenance.rehash import rehash
from nox_linkenv.store import Store
from tests.cli.tool import linkenv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.provision.tool import Site

__all__ = ["BEGIN", "END", "table"]

BEGIN: Final = "<!-- edits -->\n"
END: Final = "<!-- /edits -->\n"


def _grown(path: Path) -> None:
    path.write_text(path.read_text() + "W = 2\n")


def _same_size(path: Path) -> None:
    path.write_text(path.read_text().replace("V = 1", "V = 9"))


def _same_size_and_date(path: Path) -> None:
    status = path.stat()
    _same_size(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _executable(path: Path) -> None:
    path.chmod(0o755)


_CHANGES: Final[dict[str, Callable[[Path], None]]] = {
    "another size": _grown,
    "the same size, another date": _same_size,
    "the same size and date": _same_size_and_date,
    "another mode": _executable,
}


def _at_the_end(site: Site) -> bool:
    place = site.place()
    return any("edited" in line for line in place.end(place.environment()).messages)


def _when_linked(site: Site, *, verify: bool = False) -> bool:
    done = site.place("next").session(["tiny"], settings=replace(site.settings, verify=verify, spares=False))
    return any("had been changed" in line for line in done.warnings)


def _when_hashed(site: Site) -> bool:
    return _when_linked(site, verify=True)


def _by_upkeep(site: Site) -> bool:
    return bool(rehash(Store.open(site.store), now=time.time() + 86400.0))


def _by_verify(site: Site) -> bool:
    return linkenv(site, "verify", code=None).returncode != 0


def _by_full_verify(site: Site) -> bool:
    return linkenv(site, "verify", "--full", code=None).returncode != 0


_CHECKS: Final[dict[str, Callable[[Site], bool]]] = {
    "session's end": _at_the_end,
    "next link": _when_linked,
    "next link, `verify = true`": _when_hashed,
    "upkeep, within a day": _by_upkeep,
    "`linkenv verify`": _by_verify,
    "`linkenv verify --full`": _by_full_verify,
}


def table(site: Site) -> Iterator[str]:
    """Try each change with each check, on a *site* that has the wheel ``tiny``; yield the lines of the table.

    Whatever check finds it or not, the next environment is right again after what the last column does.
    """
    yield f"| a stored file has | {' | '.join(_CHECKS)} |\n"
    yield f"|---|{'---|' * len(_CHECKS)}\n"
    for change, make in _CHANGES.items():
        cells = []
        for check in _CHECKS.values():
            place = site.place()
            place.session(["tiny"])
            path = place.packages / "tiny.py"
            assert path.read_text() == "V = 1\n"
            assert path.stat().st_nlink > 1
            make(path)
            cells.append("found" if check(site) else "-")
            linkenv(site, "verify", "--full", "--repair", code=None)
        yield f"| {change} | {' | '.join(cells)} |\n"
