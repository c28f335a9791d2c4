"""The differences between two environments, in words.

Set aside, and nothing else: bytecode, the receipt directory (both left out of a snapshot), dates, RECORD rows of
bytecode and of INSTALLER, the order of RECORD rows, and the name of the installer where it is ours.
"""

from __future__ import annotations

import csv
import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.parity.snapshot import Entry, Tree

__all__ = ["OUR_NAME", "tree_differences", "view_differences"]

#: What INSTALLER holds when this package installed a distribution.
OUR_NAME = "nox-linkenv"


def tree_differences(oracle: Tree, peer: Tree) -> list[str]:
    """Return one sentence for each path where *peer* is not what *oracle* is."""
    found = [f"{path}: missing, the oracle has {_brief(oracle[path])}" for path in sorted(oracle.keys() - peer.keys())]
    found += [f"{path}: unexpected {_brief(peer[path])}" for path in sorted(peer.keys() - oracle.keys())]
    for path in sorted(oracle.keys() & peer.keys()):
        found += _entry_differences(path, oracle[path], peer[path])
    return found


def view_differences(oracle: Any, peer: Any, where: str = "") -> list[str]:
    """Return one sentence for each place where two JSON values differ."""
    if isinstance(oracle, dict) and isinstance(peer, dict):
        found = []
        for key in sorted(oracle.keys() | peer.keys()):
            below = f"{where}/{key}"
            if key not in peer:
                found.append(f"{below}: missing, the oracle has {oracle[key]!r}")
            elif key not in oracle:
                found.append(f"{below}: unexpected {peer[key]!r}")
            else:
                found += view_differences(oracle[key], peer[key], below)
        return found
    if oracle == peer:
        return []
    if isinstance(oracle, list) and isinstance(peer, list) and any(item not in peer for item in oracle):
        found = [f"{where}: missing, the oracle has {item!r}" for item in oracle if item not in peer]
        return found + [f"{where}: unexpected {item!r}" for item in peer if item not in oracle]
    if isinstance(oracle, str) and isinstance(peer, str) and "\n" in oracle + peer:
        return [f"{where}: text differs\n{_lines(oracle, peer)}"]
    return [f"{where}: the oracle has {oracle!r}, here it is {peer!r}"]


def _entry_differences(path: str, oracle: Entry, peer: Entry) -> list[str]:
    if oracle[0] != peer[0]:
        return [f"{path}: kind differs, the oracle has a {oracle[0]}, here it is a {peer[0]}"]
    found = []
    if oracle[1] != peer[1]:
        found.append(f"{path}: mode differs, the oracle has {oracle[1]:04o}, here it is {peer[1]:04o}")
    if oracle[2] == peer[2]:
        return found
    if oracle[0] == "link":
        return [*found, f"{path}: link target differs, the oracle has {oracle[2]}, here it is {peer[2]}"]
    before, after = _comparable(path, oracle[3]), _comparable(path, peer[3])
    if before is None or after is None:
        found.append(f"{path}: bytes differ, the oracle has sha256 {oracle[2]}, here it is {peer[2]}")
    elif before != after:
        found.append(f"{path}: text differs\n{_lines(before, after)}")
    return found


def _comparable(path: str, text: str | None) -> str | None:
    """Return *text* without what is set aside."""
    if text is None or ".dist-info/" not in path:
        return text
    name = path.rpartition("/")[2]
    if name == "INSTALLER":
        return text.replace(OUR_NAME, "pip")
    if name == "RECORD":
        return "".join(f"{row}\n" for row in sorted(_rows(text)))
    return text


def _rows(record: str) -> list[str]:
    rows = []
    for row in csv.reader(record.splitlines()):
        if row[0].endswith(".pyc"):
            continue
        rows.append(row[0] if row[0].endswith(".dist-info/INSTALLER") else ",".join(row))
    return rows


def _brief(entry: Entry) -> str:
    kind, mode, content, text = entry
    detail = f"to {content}" if kind == "link" else f"mode {mode:04o}"
    start = f", text {text[:200]!r}" if text is not None else ""
    return f"{kind} {detail}{start}"


def _lines(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "oracle", "here", lineterm="", n=0)
    return "\n".join(f"    {line}" for line in list(lines)[2:42])
