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

#: Seconds of processor time that anything may take, however busy the machine is.
_WORK: Final = 10.0
#: Seconds after which what waits, and does not work, waits for ever.
_FOR_EVER: Final = 300.0


@contextlib.contextmanager
def no_hang(seconds: float = _WORK) -> Iterator[None]:
    """Fail what works for more than so many *seconds*, or waits for what never comes."""

    def late(*_: object) -> None:
        raise AssertionError("it hangs")  # no error of the system, which may be expected

    timers = {signal.ITIMER_PROF: (signal.SIGPROF, seconds), signal.ITIMER_REAL: (signal.SIGALRM, _FOR_EVER)}
    before = {number: signal.signal(number, late) for number, _ in timers.values()}
    for timer, (_, most) in timers.items():
        signal.setitimer(timer, most)
    try:
        yield
    finally:
        for timer in timers:
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def run_linkenv(site: Site, *arguments: str) -> int:
    """Run ``linkenv`` in this process, which shows its tracebacks, and return its exit code."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), no_hang():
        return main([arguments[0], "--store", str(site.store), *arguments[1:]])
