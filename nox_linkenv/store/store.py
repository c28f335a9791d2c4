"""Opening a store, reading from it and adding to it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from typing import TYPE_CHECKING, Final

from nox_linkenv.digest import file_digest
from nox_linkenv.errors import (
    StoreBusyError,
    StoreError,
    StoreFormatError,
    StoreUnwritableError,
    WheelError,
    remedy_for,
)
from nox_linkenv.store.files import make_directory, make_shared, publish_text, read_text
from nox_linkenv.store.layout import ASIDE, FORMAT, LOCKS, OBJECTS, STAGING, WHEELS, Layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nox_linkenv.store.manifest import Manifest

__all__ = ["Store", "make_probe", "writing"]

#: The user may not write there; something else stands where a file or directory of the store has to be.
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_OBSTRUCTED: Final = frozenset({errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP})
_CACHEDIR_TAG: Final = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# Files of nox-linkenv; see https://bford.info/cachedir/\n"
)


class Store:
    """One store directory.

    Reading takes no lock: everything visible is whole, and what has gone since is a miss.  Adding holds the store's
    shared lock, so that removal, which holds the exclusive one, never runs beside it.

    Below it there may be other stores, which are only read: what it has not itself is looked for there.
    """

    __slots__ = ("layout", "lower")

    def __init__(self, layout: Layout, lower: Sequence[Layout] = ()) -> None:
        self.layout = layout
        self.lower = tuple(lower)

    @classmethod
    def open(cls, root: Path | str, *, lower: Sequence[Path | str] = ()) -> Store:
        """Open the store at *root*, making an empty one where there is none.

        Args:
            lower: roots of the stores below it, the nearest first; one that does not exist is empty.

        Raises:
            StoreFormatError: it was written by a newer version.
            StoreUnwritableError: it does not exist and cannot be made.
            StoreError: it cannot be read, or a part of it is a link to somewhere else.
        """
        layout = Layout(os.path.abspath(root))
        layers = [Layout(os.path.abspath(path)) for path in lower]
        try:
            with open(layout.description, "rb") as stream:
                found = int(json.loads(stream.read())["format"])
        except (FileNotFoundError, NotADirectoryError):
            with writing(layout):
                _make(layout)
            return cls(layout, layers)
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise StoreError(
                "The store's description cannot be read",
                path=layout.description,
                remedy="Remove the file to have it written again, or point LINKENV_STORE at another directory.",
            ) from error
        if found > FORMAT:
            raise StoreFormatError(
                f"The store has format {found}, this version of nox-linkenv reads format {FORMAT}",
                path=layout.root,
                remedy="Upgrade nox-linkenv, or point LINKENV_STORE at another directory.",
            )
        _refuse_links(layout)
        return cls(layout, layers)

    @property
    def layers(self) -> tuple[Layout, ...]:
        """This store and those below it."""
        return (self.layout, *self.lower)

    @property
    def writable(self) -> bool:
        """Whether this user can add to it, as far as modes and mounts tell."""
        return os.access(self.layout.base, os.W_OK)

    def manifest(self, wheel_digest: str, *, used: bool = True) -> Manifest | None:
        """Return the manifest of a stored wheel, or ``None``.  One that cannot be read counts as missing.

        Args:
            used: whether this is a use of it.
        """
        from nox_linkenv.store.manifest import Manifest

        read = self.use if used else self.read
        text = read(os.path.relpath(self.layout.manifest(wheel_digest), self.layout.base))
        if text is None:
            return None
        try:
            return Manifest.loads(text)
        except (ValueError, KeyError, TypeError):
            return None

    def add(self, wheel: Path, *, digest: str | None = None) -> Manifest:
        """Store the wheel at the path *wheel* and return its manifest.

        A wheel already stored is stored again, which puts right whatever is damaged or missing of it.

        Args:
            digest: hexadecimal SHA-256 that the archive must have; any where it is ``None``.

        Raises:
            WheelError: the wheel is hostile, broken, or not the one named; the store is as it was.
            StoreUnwritableError: the store cannot be written; it is as it was.
        """
        from nox_linkenv.store.add import store_wheel

        try:
            with open(wheel, "rb") as stream:
                actual = file_digest(stream)
        except OSError as error:
            raise WheelError(
                f"The wheel cannot be read ({error.strerror})", path=wheel, remedy="Fetch it again."
            ) from error
        if digest is not None and digest != actual:
            raise WheelError(
                f"The wheel is not the one that was asked for: its sha256 is {actual}",
                path=wheel,
                digest=digest,
                remedy="Fetch it again; if it happens again, the index serves another file than it announces.",
            )
        with writing(self.layout), self.locked(), self.locked_for(actual):
            manifest = store_wheel(self.layout, wheel, actual)
            publish_text(self.layout.staging, self.layout.manifest(actual), manifest.dumps())
        return manifest

    @contextlib.contextmanager
    def locked(self, *, exclusive: bool = False) -> Iterator[None]:
        """Hold the store's lock: shared to add, exclusive to remove."""
        from filelock import ReadWriteLock

        make_shared(self.layout.lock("store"))
        lock = ReadWriteLock(self.layout.lock("store"))
        with lock.write_lock() if exclusive else lock.read_lock():
            yield

    @contextlib.contextmanager
    def removing(self, *, within: float) -> Iterator[None]:
        """Hold the exclusive lock for a moment.  Who waits for it keeps others from adding, so the wait is short.

        Args:
            within: seconds after which it is given up.

        Raises:
            StoreBusyError: somebody has been adding all the time.
        """
        from filelock import ReadWriteLock, Timeout

        lock = ReadWriteLock(self.layout.lock("store"))
        deadline = time.monotonic() + within
        while True:
            try:
                lock.acquire_write(timeout=0.2)
                break
            except Timeout as error:
                if time.monotonic() > deadline:
                    raise StoreBusyError(
                        "The store is being added to all the time",
                        path=self.layout.root,
                        remedy="Run the command again later; it goes on where it was.",
                    ) from error
                time.sleep(0.3)
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def locked_for(self, name: str) -> Iterator[None]:
        """Hold the lock of one piece of work, so that others who want the same wait for it instead of doing it too."""
        from filelock import FileLock

        make_shared(self.layout.lock(name[:32]))
        with FileLock(self.layout.lock(name[:32])):
            yield

    def publish(self, name: str, text: str) -> None:
        """Write *text* to the file *name* (relative to the format directory), whole or not at all.

        Raises:
            StoreUnwritableError: the store cannot be written.
        """
        with writing(self.layout):
            publish_text(self.layout.staging, os.path.join(self.layout.base, name), text)

    def note(self, name: str, text: str) -> None:
        """Write the file *name* like :meth:`publish`, if the store can be written: one that cannot still serves."""
        with contextlib.suppress(StoreUnwritableError):
            self.publish(name, text)

    def read(self, name: str) -> str | None:
        """Return the text of the file *name* (relative to the format directory), or ``None``."""
        text = read_text(os.path.join(self.layout.base, name))
        for layer in self.lower if text is None else ():
            text = text or read_text(os.path.join(layer.base, name))
        return text

    def use(self, name: str) -> str | None:
        """Return the text of the file *name* of a unit, whose last use this is, or ``None``.

        The time is written before the file is read: pruning moves a unit aside and then looks at its time, so that
        one of the two notices the other.
        """
        path = os.path.join(self.layout.base, name)
        seen = False
        while True:
            try:
                os.utime(path)
            except FileNotFoundError:
                if os.path.exists(path + ASIDE):
                    time.sleep(0.01)
                elif seen:
                    return self.read(name)  # of a store below, which nobody prunes
                seen = True
                continue
            except OSError:
                pass  # a store that cannot be written is not pruned
            return read_text(path)

    def find(self, name: str) -> str | None:
        """Return the path of the file *name* (relative to the format directory) where it is, or ``None``."""
        for layer in self.layers:
            if os.path.exists(path := f"{layer.base}/{name}"):
                return path
        return None


def _refuse_links(layout: Layout) -> None:
    """Make sure that no part of the store is a link: it may come out of somebody's archive, and we write to all of it.

    Raises:
        StoreError: one is.
    """
    found = [path for path in (layout.base, layout.throwaway) if os.path.islink(path)]
    with contextlib.suppress(FileNotFoundError), os.scandir(layout.base) as entries:
        found += [entry.path for entry in entries if entry.is_symlink()]
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
    if not os.path.exists(layout.probe):
        publish_text(layout.staging, layout.probe, "A file to try links with.\n")


def _make(layout: Layout) -> None:
    os.makedirs(layout.root, mode=0o755, exist_ok=True)
    for directory in (OBJECTS, WHEELS, LOCKS, STAGING):
        make_directory(layout.directory(directory.name))
    publish_text(layout.staging, os.path.join(layout.root, "CACHEDIR.TAG"), _CACHEDIR_TAG)
    make_probe(layout)
    if os.name == "posix" and os.stat(layout.probe).st_mode & 0o111:
        raise StoreError(
            "The filesystem does not keep files' modes, so that no store can be there",
            path=layout.root,
            remedy="Point LINKENV_STORE at a directory of another filesystem; environments may be here all the same.",
        )
    publish_text(layout.staging, layout.description, json.dumps({"format": FORMAT}) + "\n")


@contextlib.contextmanager
def writing(layout: Layout) -> Iterator[None]:
    """Turn the operating system's refusals to write into errors that say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreUnwritableError(
                f"The store is full ({error.strerror})",
                path=layout.root,
                remedy="Free some space on that disk, or point LINKENV_STORE at a larger one.",
            ) from error
        if error.errno in _REFUSED or error.errno in _OBSTRUCTED:
            raise StoreUnwritableError(
                f"The store cannot be written ({error.strerror})",
                path=error.filename2 or error.filename or layout.root,
                remedy=remedy_for(error)
                if error.errno in _OBSTRUCTED
                else "Give yourself write permission there, or point LINKENV_STORE at a directory of your own.",
            ) from error
        raise
