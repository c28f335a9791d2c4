"""Notes: the small files in which the store keeps what it knows, each with a digest of itself.

A note is a JSON object with two members: ``sha256``, the digest of the note's name and text, and ``note``, the text.
The digest is checked before a parser sees the text, so that a flipped byte, a half-written file and the note of another
name are told from what was written.  It says that a note is as its writer left it, not who that was.

Whoever cannot read a note does without: it is dropped and made again.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

from nox_linkenv.regular import read_regular

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "NoteError",
    "integers",
    "measured",
    "optional",
    "parse_note",
    "read_note",
    "rows",
    "seal",
    "seconds",
    "some",
    "string",
    "strings",
    "unseal",
]

_T = TypeVar("_T")
#: What stands before the digest, between digest and text, and after the text.
_HEAD: Final = b'{"sha256":"'
_MIDDLE: Final = b'","note":'
_TAIL: Final = b"}"
_DIGEST: Final = slice(len(_HEAD), len(_HEAD) + 64)
_START: Final = _DIGEST.stop + len(_MIDDLE)
#: What parsers raise on a text that has another shape than theirs, or is nested so deeply that none could read it.
_SHAPE: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError, MemoryError)

#: More seconds than there are between any two times.
_ENDLESS: Final = 1e15


class NoteError(Exception):
    """A note is not what was written under its name; the message is a clause that says why."""


def seal(name: str, text: str) -> bytes:
    """Return the content of the file of the note *name*, relative to the format directory.

    Args:
        text: JSON in ASCII.
    """
    data = text.encode("ascii")
    return b"".join((_HEAD, _digest(name, data), _MIDDLE, data, _TAIL))


def unseal(name: str, content: bytes) -> memoryview:
    """Return the text of the note *name* whose file has this *content*; it may have megabytes, and is not copied.

    Raises:
        NoteError: it is damaged.
    """
    text = memoryview(content)[_START : -len(_TAIL)]
    if not content.startswith(_HEAD) or content[_DIGEST.stop : _START] != _MIDDLE or not content.endswith(_TAIL):
        raise NoteError("it is empty, or cut off" if _HEAD.startswith(content[: len(_HEAD)]) else "it is not a note")
    if content[_DIGEST] != _digest(name, text):
        raise NoteError("its content is not what its digest says")
    return text


def parse_note(name: str, content: bytes, parse: Callable[[Any], _T]) -> _T:
    """Return what *parse* makes of the JSON in the note *name* whose file has this *content*.

    Raises:
        NoteError: it is damaged, or not of the shape that *parse* reads.
    """
    text = unseal(name, content)
    try:
        return parse(json.loads(str(text, "ascii")))
    except _SHAPE as error:
        raise NoteError(f"it is of another shape ({type(error).__name__})") from error


def read_note(path: str, name: str) -> memoryview:
    """Return the text of the note *name* in the file at *path*.

    Raises:
        NoteError: it is damaged.
        OSError: it cannot be read, or is no regular file.
    """
    return unseal(name, read_regular(path))


def string(value: Any) -> str:
    """Return *value*, which is a string.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def some(value: Any) -> list[Any]:
    """Return *value*, which is a list of anything.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def strings(value: Any) -> list[str]:
    """Return *value*, which is a list of strings.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, list):
        raise TypeError("not a list")
    "".join(value)  # the fastest look at all of them
    return value


def optional(value: Any) -> str | None:
    """Return *value*, which is a string or ``None``.

    Raises:
        TypeError: it is neither.
    """
    return None if value is None else string(value)


def seconds(value: Any) -> float:
    """Return *value*, which is a point of time or a span that can be reckoned with.

    Raises:
        TypeError, ValueError, OverflowError: it is not; JSON as Python reads it knows infinity, too.
    """
    found = float(value)
    if not -_ENDLESS < found < _ENDLESS:
        raise ValueError("a time that is none")
    return found


def measured(value: Any) -> float | None:
    """Return *value*, which is a span of seconds or ``None``, where none was measured.

    Raises:
        TypeError, ValueError, OverflowError: as for :func:`seconds`.
    """
    return None if value is None else seconds(value)


def integers(value: Any) -> list[int]:
    """Return *value*, which is a list of integers.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, list) or type(sum(value)) is not int:  # the fastest look at all of them
        raise TypeError("not a list of integers")
    return value


def rows(value: Any, *types: type) -> list[Any]:
    """Return *value*, which is a list of lists, each with one element of each of *types*.

    Raises:
        TypeError, ValueError: it is not.
    """
    if not isinstance(value, list) or not {list}.issuperset(map(type, value)):
        raise TypeError("not a list of lists")
    for column, kind in zip(zip(*value, strict=True), types, strict=True) if value else ():
        if not {kind}.issuperset(map(type, column)):
            raise TypeError("an element of another type")
    return value


def _digest(name: str, text: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape") + b"\0")
    digest.update(text)
    return digest.hexdigest().encode("ascii")
