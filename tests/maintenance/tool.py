"""Runs what is tried on a damaged store: in this process, and no longer than it may take."""

from __future__ import annotations

import contextlib
import io
import signal
from typing import TYPE_CHECKING, Final

from nox_linkenv.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.provision.tool import Site

__all__ = ["no_hang", "run_linkenv"]

#: Seconds after which something hangs.
_LONG: Final = 20


@contextlib.contextmanager
def no_hang(seconds: int = _LONG) -> Iterator[None]:
    """Fail what takes longer than any of it should."""

    def late(*_: object) -> None:
        raise AssertionError("it hangs")  # no error of the system, which may be expected

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run_linkenv(site: Site, *arguments: str) -> int:
    """Run ``linkenv`` in this process, which shows its tracebacks, and return its exit code."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), no_hang():
        return main([arguments[0], "--store", str(site.store), *arguments[1:]])
