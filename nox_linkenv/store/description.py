"""What a store says of itself: the newest format in it, which everybody reads first; and making a new one."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from typing import TYPE_CHECKING, Final

from nox_linkenv.errors import StoreError
from nox_linkenv.regular import read_regular
from nox_linkenv.store.files import give_tree, make_directory, publish_bytes
from nox_linkenv.store.layout import DISCARDED, FORMAT, LOCKS, OBJECTS, PROBE, STAGING, WHEELS

if TYPE_CHECKING:
    from nox_linkenv.store.layout import Layout

__all__ = ["described", "formats", "make_probe", "make_store", "refuse_links"]

_CACHEDIR_TAG: Final = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n# Files of nox-linkenv; see https://bford.info/cachedir/\n"
)


def formats(layout: Layout) -> list[int]:
    """Return the formats that a store has a directory of."""
    try:
        names = os.listdir(layout.root)
    except OSError:
        return []
    numbers = [name[1:] for name in names if name.startswith("v")]
    return [int(number) for number in numbers if number.isdecimal() and number.isascii() and len(number) < 10]


def described(layout: Layout) -> tuple[int | None, str]:
    """Return the newest format in a store by its description, if it has one, and what is wrong with that."""
    try:
        found = json.loads(read_regular(layout.description, limit=4096))["format"]
    except (FileNotFoundError, NotADirectoryError):
        return None, ""
    except OSError as error:
        return None, str(error.strerror)
    except (ValueError, LookupError, TypeError, RecursionError):
        return None, "it is not a description"
    return (found, "") if type(found) is int and found > 0 else (None, "it names no format")


def refuse_links(layout: Layout) -> None:
    """Make sure that no part of the store is a link: it may come out of somebody's archive, and we write to all of it.

    Two files are looked at, and made anew, where they are used.

    Raises:
        StoreError: one is, or what is there cannot be looked at.
    """
    found = [path for path in (layout.base, layout.throwaway) if os.path.islink(path)]
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(layout.base) as entries:
            found += [entry.path for entry in entries if entry.is_symlink() and entry.name not in (PROBE, DISCARDED)]
    except OSError as error:
        raise StoreError(
            f"The store cannot be read ({error.strerror})",
            path=layout.base,
            remedy="Give yourself permission to read it, or point LINKENV_STORE at another directory.",
        ) from error
    if found:
        raise StoreError(
            "A part of the store is a link to another place, where nothing is written or removed",
            path=found[0],
            remedy="Remove the link; the store makes that part anew.",
        )


def make_probe(layout: Layout) -> None:
    """Make the file which links are tried with, unless it is there.

    Raises:
        OSError: the store cannot be written.
    """
    try:
        there = stat.S_ISREG(os.lstat(layout.probe).st_mode)
    except OSError:
        there = False
    if not there:
        publish_bytes(layout.staging, layout.probe, b"A file to try links with.\n")


def make_store(layout: Layout) -> None:
    """Make what a store of this format has to have, as far as it is not there.

    Raises:
        OSError: it cannot be written.
        StoreError: the filesystem is not fit for a store.
    """
    above = layout.root
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    os.makedirs(layout.root, mode=0o755, exist_ok=True)
    if above != layout.root:
        new = os.path.join(above, os.path.relpath(layout.root, above).split(os.sep)[0])
        give_tree(new, above)
    for directory in (OBJECTS, WHEELS, LOCKS, STAGING):
        make_directory(layout.directory(directory.name))
    publish_bytes(layout.staging, os.path.join(layout.root, "CACHEDIR.TAG"), _CACHEDIR_TAG)
    make_probe(layout)
    if os.name == "posix" and os.stat(layout.probe).st_mode & 0o111:
        raise StoreError(
            "The filesystem does not keep files' modes, so that no store can be there",
            path=layout.root,
            remedy="Point LINKENV_STORE at a directory of another filesystem; environments may be here all the same.",
        )
    publish_bytes(layout.staging, layout.description, json.dumps({"format": FORMAT}).encode() + b"\n")
