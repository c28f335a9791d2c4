"""The error tree: every error says what is wrong, where, and what to do next."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

__all__ = [
    "ArchiveError",
    "CaptureError",
    "DamagedObjectError",
    "EnvError",
    "LinkError",
    "LinkenvError",
    "OfflineError",
    "RemoteError",
    "ResolutionError",
    "SettingsError",
    "StoreBusyError",
    "StoreError",
    "StoreFormatError",
    "StoreUnwritableError",
    "UnsupportedWheelError",
    "WheelError",
    "explained",
    "remedy_for",
]

_STANDS: Final = "Something else stands there: move it away, and run again."
_FILES: Final = "Raise the limit of open files with ulimit -n, or run fewer at a time."
_FAILS: Final = "The disk, or the way to it, fails: the system's log says more."
_LOCKS: Final = (
    "The filesystem there, or its server, gives no locks: mount NFS in version 4 and without nolock, or have the store"
    " and the environments on a disk of this machine (LINKENV_STORE)."
)
_PERMISSION: Final = "Give yourself write permission there, or name another directory."
#: What to do about each refusal of the operating system to write.
_REMEDIES: Final[dict[int, str]] = {
    errno.ENOSPC: "Free some space there, or name another directory.",
    errno.EDQUOT: "Free some space there, or have your quota raised.",
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: "That filesystem is mounted to be read only: name another directory.",
    errno.ENOENT: "It was removed meanwhile: run again when nothing else removes files there.",
    errno.EEXIST: _STANDS,
    errno.ENOTEMPTY: _STANDS,
    errno.EISDIR: _STANDS,
    errno.ENOTDIR: _STANDS,
    errno.ELOOP: _STANDS,
    errno.ENAMETOOLONG: "Name a directory with a shorter path.",
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.ENOLCK: _LOCKS,
    errno.EIO: _FAILS,
    errno.ESTALE: _FAILS,
}


def remedy_for(error: OSError) -> str:
    """Return what a user can do about *error*, which came of writing; a whole sentence."""
    return _REMEDIES.get(error.errno or 0, "Look at that directory: what the system says is all that is known.")


class LinkenvError(Exception):
    """Base of all errors of this package.

    Args:
        what: what is wrong, without a final full stop.
        remedy: what the user can do next, a whole sentence.
        path: the file or directory concerned, if there is one.
        digest: hexadecimal SHA-256 of the object or wheel concerned, if there is one.
    """

    def __init__(
        self,
        what: str,
        *,
        remedy: str,
        path: Path | str | None = None,
        digest: str | None = None,
    ) -> None:
        self.what = what
        self.remedy = remedy
        self.path = None if path is None else Path(path)
        self.digest = digest
        super().__init__(what)

    def __str__(self) -> str:
        where = "" if self.path is None else f": {self.path}"
        which = "" if self.digest is None else f" (sha256 {self.digest})"
        return f"{self.what}{where}{which}. {self.remedy}"


def explained(error: LinkenvError | OSError) -> LinkenvError:
    """Return *error* as one that says what to do; for where a user is told of whatever the system refuses."""
    if isinstance(error, LinkenvError):
        return error
    what = f"The system refuses a file ({error.strerror or error})"
    return LinkenvError(what, path=error.filename2 or error.filename, remedy=remedy_for(error))


class SettingsError(LinkenvError):
    """A setting has a value that it cannot have."""


class WheelError(LinkenvError):
    """A wheel is hostile or broken and has been refused; the store is as it was."""


class UnsupportedWheelError(WheelError):
    """A wheel is odd: what becomes of it is for pip to say.  The store is as it was."""


class StoreError(LinkenvError):
    """The store cannot do what was asked."""


class StoreFormatError(StoreError):
    """The store was written by a newer version of this package."""


class StoreUnwritableError(StoreError):
    """The store cannot be written: permissions, a read-only filesystem, a full disk."""


class StoreBusyError(StoreError):
    """Others have been working in the store all the time."""


class ArchiveError(StoreError):
    """An archive cannot be made, or is not what was exported; nothing of it is used."""


class RemoteError(StoreError):
    """The remote store cannot be used; sessions do without it."""


class DamagedObjectError(StoreError):
    """An object is not what its digest says and could not be put right."""


class LinkError(LinkenvError):
    """A file could neither be linked nor copied."""


class EnvError(LinkenvError):
    """An environment cannot be made, changed or removed."""


class CaptureError(EnvError):
    """No skeleton can be captured: virtualenv refuses, or what it makes has no pip that works."""


class ResolutionError(LinkenvError):
    """A request could not be answered."""


class OfflineError(ResolutionError):
    """Offline mode was asked for and no resolution of this request is remembered."""
