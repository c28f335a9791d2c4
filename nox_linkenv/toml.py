"""Reading TOML, by the standard library's parser or the one that it was made of (PEP 680)."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["parse_toml"]


def parse_toml(text: str) -> dict[str, Any]:
    """Return what the document *text* says.

    Raises:
        ValueError: it is not TOML, or it is nested deeper than Python goes.
    """
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError(str(error)) from error
