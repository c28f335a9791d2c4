"""The error tree: every error says what is wrong, where, and what to do next."""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "CaptureError",
    "DamagedObjectError",
    "EnvError",
    "LinkError",
    "LinkenvError",
    "OfflineError",
    "ResolutionError",
    "SettingsError",
    "StoreBusyError",
    "StoreError",
    "StoreFormatError",
    "StoreUnwritableError",
    "WheelError",
]


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


class SettingsError(LinkenvError):
    """A setting has a value that it cannot have."""


class WheelError(LinkenvError):
    """A wheel is hostile or broken and has been refused; the store is as it was."""


class StoreError(LinkenvError):
    """The store cannot do what was asked."""


class StoreFormatError(StoreError):
    """The store was written by a newer version of this package."""


class StoreUnwritableError(StoreError):
    """The store cannot be written: permissions, a read-only filesystem, a full disk."""


class StoreBusyError(StoreError):
    """Something cannot be removed, because others are adding all the time."""


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
