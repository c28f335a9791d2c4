"""Keeping the cyclic garbage collector out of the warm path."""

from __future__ import annotations

import functools
import gc
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["without_collector"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


def without_collector(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Run *function* without the cyclic garbage collector, which would look at every path of a plan several times."""

    @functools.wraps(function)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        enabled = gc.isenabled()
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            if enabled:
                gc.enable()

    return run
