"""zstd: of the standard library since Python 3.14 (PEP 784), of its backport before.

It is loaded when it is first asked for: whether it is there is known only then, and most processes have no use for it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from typing import Any, Final

from nox_linkenv.errors import ArchiveError

__all__ = ["LEVEL", "compressor", "decompressor", "ensure_zstd", "frame_of", "zstd_errors"]

#: Of compression.  More takes twice the time for each twentieth of the bytes.  It is the same for everyone, so that
#: equal contents give equal archives.
LEVEL: Final = 6
_MODULES: Final = ("compression.zstd", "backports.zstd")


@functools.cache
def ensure_zstd() -> Any:
    """Return the module.

    Raises:
        ArchiveError: there is none.
    """
    for name in _MODULES:
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    raise ArchiveError(
        "Archives are compressed with zstd, which this Python does not have",
        remedy="Install nox-linkenv[archive], or backports.zstd beside it; Python has had zstd itself since 3.14.",
    )


def compressor() -> Any:
    """Return what compresses a frame: ``compress(block)`` and at the end ``flush()`` return parts of it."""
    return ensure_zstd().ZstdCompressor(level=LEVEL)


def decompressor() -> Any:
    """Return what decompresses a frame: ``decompress(block, max_length=bytes)`` until it is at its ``eof``."""
    return ensure_zstd().ZstdDecompressor()


def frame_of(content: bytes) -> bytes:
    """Return *content* compressed to a frame."""
    made = compressor()
    return b"".join((made.compress(content), made.flush()))


def zstd_errors() -> tuple[type[Exception], ...]:
    """Return what is raised where a frame is none."""
    return (ensure_zstd().ZstdError, EOFError)
