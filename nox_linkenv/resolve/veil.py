"""Secrets that are a part of a key: other keys for other secrets, and none is found out by trying.

A digest of a request's arguments stands in the store, where others may read it.  All that is unknown of them may be a
password; a fast digest would let somebody try billions of them a second.
"""

from __future__ import annotations

import functools
import hashlib
import re
from typing import Final

__all__ = ["slow_digest", "veil"]

#: The user name and password of a URL (RFC 3986, 3.2.1): up to the last at sign before the path.
_USER: Final = re.compile(rb"(?<=://)[^/?#\s\"'\0]+(?=@)")
_SALT: Final = b"nox-linkenv: a part of a request's key"


@functools.cache
def slow_digest(secret: bytes) -> bytes:
    """Return a digest of *secret* that takes about 10 ms and 4 MiB to compute (RFC 7914)."""
    try:
        found = hashlib.scrypt(secret, salt=_SALT, n=2**12, r=8, p=1, dklen=32)
    except (AttributeError, ValueError):  # a Python without it
        found = hashlib.pbkdf2_hmac("sha256", secret, _SALT, 50_000)
    return found.hex().encode()


def veil(data: bytes) -> bytes:
    """Return *data* with a slow digest in the place of each user name and password in a URL."""
    return _USER.sub(lambda found: slow_digest(found[0]), data)
