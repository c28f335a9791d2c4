"""What is slow beside what is marked so where it stands: whole modules, and the tests that ``heavy.txt`` names.

The usual suite has one case of each kind; the heavy suite has all of them, and begins elsewhere each day.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["is_heavy", "unknown"]

#: Modules whose tests start dozens of whole nox, tox or pip processes each.
_MODULES: Final = (
    "tests/parity/test_big.py",
    "tests/projects/test_backends.py",
    "tests/projects/test_reuse.py",
    "tests/plugins/tox/test_behaviours.py",
    "tests/plugins/tox/test_parity.py",
    "tests/plugins/tox/test_together.py",
)
_NAMES: Final = frozenset(
    line
    for line in (Path(__file__).parent.parent / "heavy.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)


def is_heavy(name: str) -> bool:
    """Tell whether a test is in the heavy suite by its *name* alone, which is that of pytest (its node id).

    The oldest nox repeats what the newest one shows.
    """
    return name.startswith(_MODULES) or name in _NAMES or "[oldest" in name


def unknown(collected: Collection[str]) -> list[str]:
    """Return the names here that belong to a test of which others were *collected*: they have been renamed."""
    tests = {name.partition("[")[0] for name in collected}
    return sorted(name for name in _NAMES.difference(collected) if name.partition("[")[0] in tests)
