"""Which files of environments are one with the store's objects, and what each environment adds to the disk."""

from __future__ import annotations

import csv
import hashlib
import os
from pathlib import Path

__all__ = ["added_bytes", "damaged_objects", "linkable", "objects", "unshared"]

#: A file's identity on this machine.
Inode = tuple[int, int]

_PRIVATE = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def objects(store: Path) -> dict[Path, Inode]:
    """Return the objects of a store."""
    found = {path: _inode(path) for path in (store / "v2" / "objects").glob("*/*") if path.is_file()}
    assert found, f"no objects in {store}"
    return found


def damaged_objects(store: Path) -> list[str]:
    """Return, in words, each object whose content or executable bit is not what its name says."""
    found = []
    for path in objects(store):
        name = path.parent.name + path.name
        digest, executable = name.removesuffix("x"), name.endswith("x")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            found.append(f"{path}: its content has another digest")
        mode = path.stat().st_mode & 0o777
        if bool(mode & 0o111) != executable:
            found.append(f"{path}: its mode is {mode:04o}")
    return found


def linkable(root: Path, site: Path) -> set[Path]:
    """Return the files that came from wheels and may be linked, by the RECORDs of what stands in *site*.

    Private by design: RECORD, INSTALLER, REQUESTED, direct_url.json, scripts, empty files, ``.pth`` files.
    """
    found = set()
    for record in site.glob("*.dist-info/RECORD"):
        with record.open(newline="") as stream:
            for row in csv.reader(stream):
                path = Path(os.path.normpath(site / row[0]))
                assert path.is_relative_to(root), f"{record} names {row[0]}, outside of the environment"
                if path.is_file() and not _private(path):  # the RECORD of seeds names __pycache__ directories, too
                    found.add(path)
    return found


def _private(path: Path) -> bool:
    if path.name in _PRIVATE or path.suffix in {".pyc", ".pth"}:
        return True
    if path.stat().st_size == 0:
        return True
    return path.parent.name == "bin" and path.read_bytes()[:2] == b"#!"


def unshared(paths: set[Path], store: Path) -> list[Path]:
    """Return those of *paths* that are no object of the store."""
    known = set(objects(store).values())
    return sorted(path for path in paths if path.is_symlink() or _inode(path) not in known)


def added_bytes(root: Path, *before: Path) -> int:
    """Return the bytes of disk blocks that *root* has beyond what stands in *before*, each inode counted once."""
    known = {inode for tree in before for inode in _blocks(tree)}
    return sum(size for inode, size in _blocks(root).items() if inode not in known)


def _blocks(tree: Path) -> dict[Inode, int]:
    found = {}
    for here, _, files in os.walk(tree):
        for path in (here, *(os.path.join(here, name) for name in files)):
            status = os.lstat(path)
            found[(status.st_dev, status.st_ino)] = status.st_blocks * 512
    return found


def _inode(path: Path) -> Inode:
    status = path.lstat()
    return (status.st_dev, status.st_ino)
