"""The hooks of build backends that this process has called."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["hooks"]


@functools.cache
def _noted() -> list[str]:
    """Return the list in which each call is noted, on whatever way it is started.

    An audit hook stays for as long as the process, so there is one for all tests.
    """
    called: list[str] = []

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "subprocess.Popen" and isinstance(arguments[1], list):
            called.extend(str(word) for word in arguments[1] if word in ("build_wheel", "build_editable"))

    sys.addaudithook(note)
    return called


@pytest.fixture
def hooks() -> Iterator[list[str]]:
    """The hooks that build wheels which have been called in this test."""
    called = _noted()
    called.clear()
    yield called
    called.clear()
