"""RECORD: what every file of a wheel must be.

pip installs wheels whose RECORD says less than it should, or says it oddly, and copies its rows as they stand.  So they
are read as pip reads them; what they say of a file's content must be true.

Source: https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .refusal import unsupported

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Expected", "Record", "Row"]

#: Path, hash and size.
Row = tuple[str, str, str]
# "The hash algorithm must be sha256 or better; specifically, md5, sha1 and sha224 are not permitted".
_SECURE: Final = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b", "blake2s"})
_WEAK: Final = frozenset({"md5", "sha1", "sha224"})


@dataclass(frozen=True, slots=True)
class Expected:
    """What a row states of one file.

    Attributes:
        algorithm: name of the hash.
        digest: in bytes.
    """

    algorithm: str
    digest: bytes

    @property
    def secure(self) -> bool:
        """Whether nobody can make another file of that digest."""
        return self.algorithm in _SECURE

    @property
    def sha256(self) -> str | None:
        """The digest in hexadecimal if it is SHA-256."""
        return self.digest.hex() if self.algorithm == "sha256" else None


class Record:
    """The rows of a RECORD.  Rows of files that are not in the archive are tolerated, as pip does.

    Attributes:
        rows: the first three columns of each row, as it stands there; missing ones are empty.

    Args:
        text: contents of RECORD.
        path: the wheel, for messages.

    Raises:
        UnsupportedWheelError: RECORD is no table, or has an empty line; pip fails, too.
    """

    rows: tuple[Row, ...]

    def __init__(self, text: str, path: Path) -> None:
        try:
            lines = list(csv.reader(text.splitlines()))
        except csv.Error as error:
            raise unsupported(path, f"has a RECORD that cannot be read ({error})") from error
        if not all(lines):
            raise unsupported(path, "has a RECORD with an empty line")
        self.rows = tuple(
            (line[0], line[1] if len(line) > 1 else "", line[2] if len(line) > 2 else "") for line in lines
        )
        self._stated: dict[str, dict[Expected, None]] = {}
        for name, value, _ in self.rows:
            stated = _expected(value)
            if stated is not None:
                # Windows builders have written paths with backslashes.
                self._stated.setdefault(name.replace("\\", "/"), {})[stated] = None

    def expected(self, name: str) -> tuple[Expected, ...]:
        """Return what RECORD states of the file *name*: nothing, or what all has to be true of it."""
        return tuple(self._stated.get(name, ()))


def _expected(value: str) -> Expected | None:
    """Return what the hash column *value* states, ``None`` where it says nothing that can be compared."""
    algorithm, separator, text = value.partition("=")
    if not separator or algorithm not in _SECURE | _WEAK:
        return None
    digest = _decode(text, length=hashlib.new(algorithm, usedforsecurity=False).digest_size)
    return None if digest is None else Expected(algorithm, digest)


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
