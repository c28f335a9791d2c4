"""What sources of compiled languages have their compilers read besides: files that they name by a path.

What they include by a plain name is found in the directories that the compiler was given, which count as a whole, or
beside the source.

Sources: the GNU manuals *The C Preprocessor* (``#include``, ``#embed``), *Using as* (``.include``, ``.incbin``).
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["included"]

_SOURCES: Final = (
    ".c", ".cc", ".cpp", ".cxx", ".c++", ".cu", ".m", ".mm", ".h", ".hh", ".hpp", ".hxx", ".h++", ".inc", ".inl",
    ".ipp", ".tpp", ".s", ".asm", ".i", ".f", ".for", ".f90", ".f95", ".f03", ".f08", ".fpp",
)  # fmt: skip
_INCLUDED: Final = re.compile(
    rb"""(?:include|include_next|import|embed|incbin)\s*\(?\s*(?:"([^"\n]+)"|<([^>\n]+)>|'([^'\n]+)')""", re.I
)


def included(sources: Iterable[str]) -> Iterator[str]:
    """Yield the paths of files that *sources* include relative to themselves, or by an absolute path.

    Args:
        sources: absolute paths of files; those which are not of such a language by their names do not count.
    """
    waiting = [path for path in sources if path.lower().endswith(_SOURCES)]
    known = set(waiting)
    while waiting:
        path = waiting.pop()
        try:
            with open(path, "rb") as stream:
                found = _INCLUDED.findall(stream.read())
        except OSError:
            continue
        for names in found:
            name = os.fsdecode(b"".join(names))
            other = os.path.normpath(os.path.join(os.path.dirname(path), name))
            if other not in known:
                known.add(other)
                yield other
                waiting.append(other)
