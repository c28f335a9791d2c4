"""Which cases of a test are in the usual suite: those that tell most; the heavy suite has all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _pytest.mark.structures import ParameterSet

__all__ = ["usually"]


def usually(cases: Iterable[object], *kept: object) -> list[ParameterSet]:
    """Return *cases*, each a value or a tuple of them, for ``parametrize``; all but those *kept* are slow.

    Raises:
        ValueError: a case that is to be kept is not among them.
    """
    cases = list(cases)
    if missing := [case for case in kept if case not in cases]:
        raise ValueError(f"no such cases: {missing}")
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=() if case in kept else pytest.mark.slow)
        for case in cases
    ]
