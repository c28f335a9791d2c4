"""Opening a store, reading from it and adding to it."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from nox_linkenv.digest import file_digest
from nox_linkenv.errors import StoreFormatError, StoreUnwritableError, WheelError, remedy_for
from nox_linkenv.regular import IrregularError, read_regular
from nox_linkenv.store.description import described, formats, make_store, refuse_links
from nox_linkenv.store.files import publish_bytes, put_aside, staging_name
from nox_linkenv.store.layout import ASIDE, FORMAT, WHEELS, Layout
from nox_linkenv.store.notes import NoteError, parse_note, read_note, seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from nox_linkenv.store.manifest import Manifest

__all__ = ["Store", "writing"]

_T = TypeVar("_T")
#: Seconds for which a prune may have moved a unit aside; one that was killed in between puts back what it has moved.
_ASIDE_FOR: Final = 2.0
#: The user may not write there; something else stands where a file or directory of the store has to be.
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_OBSTRUCTED: Final = frozenset({errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP})


class Store:
    """One store directory.

    Reading takes no lock: everything visible is whole, and what has gone since is a miss.  Adding holds the store's
    shared lock, so that removal, which holds the exclusive one, never runs beside it.

    Below it there may be other stores, which are only read: what it has not itself is looked for there.

    Attributes:
        losses: what could not be read, by its path: why, and what becomes of it; see :meth:`told`.
        remote: brings what it can of the notes of these names into this store, and returns whether there was any;
            ``None`` where no store is shared with other machines.
    """

    __slots__ = ("layout", "losses", "lower", "remarks", "remote")

    def __init__(self, layout: Layout, lower: Sequence[Layout] = ()) -> None:
        self.layout = layout
        self.lower = tuple(lower)
        self.losses: dict[str, str] = {}
        self.remarks: list[str] = []
        self.remote: Callable[[Store, Sequence[str]], bool] | None = None

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
        store = cls(Layout(os.path.abspath(root)), [Layout(os.path.abspath(path)) for path in lower])
        found, reason = described(store.layout)
        undescribed = found is None
        if undescribed:  # what is there says the same
            found = max(formats(store.layout), default=None)
        if found is not None and found > FORMAT:
            raise StoreFormatError(
                f"The store has format {found}, this version of nox-linkenv reads format {FORMAT}",
                path=store.layout.root,
                remedy="Upgrade nox-linkenv, or point LINKENV_STORE at another directory."
                f" Where no newer version has been, remove {store.layout.description}.",
            )
        refuse_links(store.layout)
        if undescribed or found != FORMAT or not os.path.isdir(store.layout.staging):
            try:
                with writing(store.layout, made=found is not None):
                    make_store(store.layout)
            except StoreUnwritableError:
                if found is None:
                    raise  # else it serves what it has
        if reason:
            store.losses[store.layout.description] = _damaged(reason)
        if found is not None and found < FORMAT:
            store.remarks.append(
                f"The store {store.layout.root} has entries of the older format {found}, which this version does not"
                f" read. They are left as they were: remove {store.layout.root}/v{found} when no older version uses it."
            )
        return store

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

        def parse(data: Any) -> Manifest:
            manifest = Manifest.from_json(data)
            if manifest.digest != wheel_digest:
                raise ValueError("it is another wheel's")
            return manifest

        load = self.use if used else self.load
        return load(WHEELS.file(wheel_digest), parse)

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
            self.publish(WHEELS.file(actual), manifest.dumps())
        return manifest

    def locked(self, *, exclusive: bool = False) -> AbstractContextManager[None]:
        """Hold the store's lock: shared to add, exclusive to remove."""
        from nox_linkenv.store.locks import hold

        return hold(self.layout, exclusive=exclusive)

    def removing(self, *, within: float) -> AbstractContextManager[None]:
        """Hold the exclusive lock for a moment; see :func:`nox_linkenv.store.locks.hold_to_remove`."""
        from nox_linkenv.store.locks import hold_to_remove

        return hold_to_remove(self.layout, within=within)

    def locked_for(self, name: str) -> AbstractContextManager[None]:
        """Hold the lock of one piece of work, so that others who want the same wait for it instead of doing it too."""
        from nox_linkenv.store.locks import hold_for

        return hold_for(self.layout, name)

    def publish(self, name: str, text: str) -> None:
        """Write the note *name* (relative to the format directory), whole or not at all.

        Args:
            text: JSON in ASCII.

        Raises:
            StoreUnwritableError: the store cannot be written.
        """
        with writing(self.layout):
            publish_bytes(self.layout.staging, f"{self.layout.base}/{name}", seal(name, text))

    def note(self, name: str, text: str) -> None:
        """Write the note *name* like :meth:`publish`, if the store can be written: one that cannot still serves."""
        with contextlib.suppress(StoreUnwritableError):
            self.publish(name, text)

    def load(self, name: str, parse: Callable[[Any], _T]) -> _T | None:
        """Return what *parse* makes of the JSON in the note *name*, or ``None`` where there is none.

        A note that is damaged, or that *parse* cannot read, is dropped, and counts as one that is not there.
        """
        for layer in self.layers:
            try:
                content = read_regular(f"{layer.base}/{name}")
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self._lose(layer, name, error)
                continue
            try:
                return parse_note(name, content, parse)
            except NoteError as error:
                self._lose(layer, name, error)
        return None

    def use(self, name: str, parse: Callable[[Any], _T]) -> _T | None:
        """Return what :meth:`load` does, of the note *name* of a unit, whose last use this is.

        The time is written before the file is read: pruning moves a unit aside and then looks at its time, so that
        one of the two notices the other.
        """
        path = f"{self.layout.base}/{name}"
        seen = False
        deadline = 0.0
        while True:
            try:
                _renew(path)
            except FileNotFoundError:
                if os.path.lexists(path + ASIDE):
                    now = time.monotonic()
                    deadline = deadline or now + _ASIDE_FOR
                    if now > deadline:
                        break
                    time.sleep(0.01)
                elif seen:
                    break  # it may be in a store below, which nobody prunes
                seen = True
                continue
            except OSError:
                pass  # a store that cannot be written is not pruned
            break
        return self.load(name, parse)

    def seek(self, *names: str) -> bool:
        """Have the notes *names* brought from the remote store, if there is one; return whether any was.

        For where someone would otherwise be asked, or something built: it may take seconds.
        """
        return bool(names) and self.remote is not None and self.remote(self, names)

    def renew(self, name: str) -> None:
        """Make this the last use of the note *name*, which names no unit by whose last use it would be told."""
        with contextlib.suppress(OSError):
            _renew(f"{self.layout.base}/{name}")

    def told(self) -> list[str]:
        """Return lines for the user about what was found damaged, or in another format, since this was asked last."""
        told, self.remarks = self.remarks, []
        if self.losses:
            path, reason = next(iter(self.losses.items()))
            what = path if len(self.losses) == 1 else f"{len(self.losses)} files, such as {path},"
            told.append(f"What the store had noted in {what} {reason}.")
            self.losses = {}
        return told

    def _lose(self, layer: Layout, name: str, error: OSError | NoteError) -> None:
        """Note down that the note *name* cannot be read, and drop it, where it is ours and will not mend by itself."""
        path = f"{layer.base}/{name}"
        reason = str(error.strerror if isinstance(error, OSError) else error)
        if isinstance(error, OSError) and not _is_for_good(error):
            self.losses[path] = f"cannot be read now ({reason}), and is left as it is"
            return
        self.losses[path] = _damaged(reason)
        if layer is not self.layout:
            return
        with contextlib.suppress(OSError):
            aside = staging_name(layer.staging)
            os.rename(path, aside)
            with contextlib.suppress(NoteError, OSError):
                read_note(aside, name)  # somebody else has just made it again
                os.rename(aside, path)
            if os.path.lexists(aside):
                put_aside(aside, layer.staging)

    def drop(self, name: str) -> None:
        """Remove the note *name* from this store, if it is there and the store can be written."""
        with contextlib.suppress(OSError):
            os.unlink(f"{self.layout.base}/{name}")

    def find(self, name: str) -> str | None:
        """Return the path of the file *name* (relative to the format directory) where it is, or ``None``."""
        for layer in self.layers:
            if os.path.exists(path := f"{layer.base}/{name}"):
                return path
        return None


def _damaged(reason: str) -> str:
    return f"is damaged ({reason}), and is made again"


def _is_for_good(error: OSError) -> bool:
    """Return whether what stands at a path will be as unreadable the next time."""
    return isinstance(error, IrregularError) or error.errno in (errno.ELOOP, errno.EMLINK, errno.EACCES, errno.ENXIO)


def _renew(path: str) -> None:
    """Make now the modification time of what stands at *path*, and not of what a link there leads to."""
    if os.utime in os.supports_follow_symlinks:
        os.utime(path, follow_symlinks=False)
    else:
        os.utime(path)


@contextlib.contextmanager
def writing(layout: Layout, *, made: bool = True) -> Iterator[None]:
    """Turn the operating system's refusals to write into errors that say what to do.

    Args:
        made: whether the store was there before.
    """
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
                remedy=f"{remedy_for(error)} Or point LINKENV_STORE at another directory."
                if error.errno in _OBSTRUCTED
                else "Give yourself write permission there, or point LINKENV_STORE at a directory of your own.",
            ) from error
        if not made:
            raise StoreUnwritableError(
                f"The store cannot be made ({error.strerror})",
                path=error.filename or layout.root,
                remedy="Point LINKENV_STORE at a directory that can be made.",
            ) from error
        if not os.path.isdir(layout.staging):  # whatever the system says of that
            raise gone(layout) from error
        raise


def gone(layout: Layout) -> StoreUnwritableError:
    """Return the error of a store that was there when it was opened."""
    return StoreUnwritableError(
        "The store is not there any more: it was removed, moved or unmounted while it was in use",
        path=layout.root,
        remedy="Put it back, or run again, which makes a new one.",
    )
