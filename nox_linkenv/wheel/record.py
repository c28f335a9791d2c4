"""RECORD: what every file of a wheel must be.

Source: https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from installer.records import InvalidRecordEntry, RecordEntry, parse_record_file

from .refusal import refusal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Expected", "Record"]

# "The hash algorithm must be sha256 or better; specifically, md5, sha1 and sha224 are not permitted".
_SECURE: Final = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b", "blake2s"})


@dataclass(frozen=True, slots=True)
class Expected:
    """What RECORD states of one file: the name of a secure algorithm and the digest in bytes."""

    algorithm: str
    digest: bytes

    @property
    def sha256(self) -> str | None:
        """The digest in hexadecimal if it is SHA-256."""
        return self.digest.hex() if self.algorithm == "sha256" else None


class Record:
    """The rows of a RECORD.  Rows of files that are not in the archive are tolerated, as pip does.

    Args:
        text: contents of RECORD.
        path: the wheel, for messages.

    Raises:
        WheelError: RECORD is not the table it should be, or says two things of one file.
    """

    def __init__(self, text: str, path: Path) -> None:
        self._path = path
        self._rows: dict[str, tuple[str, str]] = {}
        try:
            for name, digest, size in parse_record_file(io.StringIO(text, newline="")):
                if self._rows.setdefault(name, (digest, size)) != (digest, size):
                    raise refusal(path, "has two RECORD rows that contradict each other", member=name)
        except (InvalidRecordEntry, csv.Error) as error:
            raise refusal(path, f"has a RECORD that cannot be read ({error})") from error

    @property
    def rows(self) -> tuple[tuple[str, str, str], ...]:
        """The rows (path, hash, size), as they stand in RECORD."""
        return tuple((name, *row) for name, row in self._rows.items())

    def expected(self, name: str, size: int) -> Expected:
        """Return what the file *name*, of *size* bytes in the archive, must be.

        Raises:
            WheelError: the file has no row, no hash, a weak or malformed one, or another size.
        """
        row = self._rows.get(name)
        if row is None:
            raise refusal(self._path, "is missing from RECORD", member=name)
        try:
            entry = RecordEntry.from_elements(name, *row)
        except InvalidRecordEntry as error:
            raise refusal(self._path, f"has a bad row in RECORD ({error})", member=name) from error
        if entry.size is not None and entry.size != size:
            raise refusal(self._path, f"has {size} bytes, but RECORD says {entry.size}", member=name)
        if entry.hash_ is None:
            # "installation will fail if any file in the archive is not both mentioned and correctly hashed in RECORD"
            raise refusal(self._path, "has no hash in RECORD", member=name)
        algorithm = entry.hash_.name
        if algorithm not in _SECURE:
            raise refusal(self._path, f"has a hash in RECORD that is weaker than SHA-256 ({algorithm})", member=name)
        digest = _decode(entry.hash_.value, length=hashlib.new(algorithm).digest_size)
        if digest is None:
            raise refusal(self._path, "has a malformed hash in RECORD", member=name)
        return Expected(algorithm, digest)


def _decode(value: str, *, length: int) -> bytes | None:
    """Return the *length* bytes of a URL-safe base64 text, None if it is not one.

    Padding is taken, from old wheels, and so are hexadecimal digits, which some builders write: they are as strong,
    they cannot be mistaken for base64 of that length, and pip installs such wheels.
    """
    value = value.rstrip("=")
    try:
        if len(value) == 2 * length:
            return bytes.fromhex(value)
        digest = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == length else None
