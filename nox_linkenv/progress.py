"""What is being done while a user waits: one line on a terminal, which is gone afterwards; a line of text elsewhere.

Hosts decide where it is shown, if at all; whatever takes long says what it does by :func:`doing`.  Nothing of this is
loaded on the warm path.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

__all__ = ["ASKING", "INSTALLING", "Display", "Lines", "Step", "Terminal", "display_on", "doing", "megabytes", "shown"]

#: What is said of pip while it is asked.
ASKING: Final = "asking pip (resolving)"
#: What is said of pip where a request is left to it.
INSTALLING: Final = "pip installs"
#: Seconds between two looks at whether the line of a terminal says something else.
_PAUSE: Final = 0.1
#: Columns where a terminal does not say how many it has.
_COLUMNS: Final = 80
#: What a terminal shows of an interrupt, behind the line.
_ECHOED: Final = "^C"


class Step:
    """Something that is being done.

    Attributes:
        text: what it is; whoever does it may change this, from any thread.
        began: when it began, on the monotonic clock.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.began = time.monotonic()


class Display(Protocol):
    """Where it is shown what is being done.

    Attributes:
        patience: seconds for which nothing is shown of a step, as it may be over soon.
    """

    patience: float

    def show(self, step: Step, seconds: float) -> None:
        """Show that *step* has taken so many *seconds*."""
        ...

    def clear(self) -> None:
        """Leave the place as it was: something else is to be shown there."""
        ...


class Terminal:
    """One line of a terminal, written over again and again.

    No sequences are sent that some terminals do not know, and the cursor stays visible: a process that is killed leaves
    half a line, and nothing that is to be put right.
    """

    patience: float = 0.3

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = ""

    def show(self, step: Step, seconds: float) -> None:
        with contextlib.suppress(OSError, ValueError):
            columns = os.get_terminal_size(self._stream.fileno()).columns or _COLUMNS
            line = f"linked: {step.text} ... {seconds:.0f} s"[: max(columns - len(_ECHOED) - 1, 0)]
            if line != self._shown:
                self._write(line.ljust(len(self._shown)))
                self._shown = line

    def clear(self) -> None:
        if self._shown:
            with contextlib.suppress(OSError, ValueError):
                self._write(f"{' ' * (len(self._shown) + len(_ECHOED))}\r")
            self._shown = ""

    def _write(self, text: str) -> None:
        self._stream.write(f"\r{text}")
        self._stream.flush()


class Lines:
    """A line of text on each step that takes long.

    Args:
        say: takes a line.
    """

    patience: float = 3.0

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._said: Step | None = None

    def show(self, step: Step, seconds: float) -> None:
        del seconds
        if step is not self._said:
            self._said = step
            self._say(f"linked: {step.text} ...")

    def clear(self) -> None:
        """What has been said stands."""


def display_on(stream: TextIO, say: Callable[[str], object] | None) -> Display | None:
    """Return how to show on *stream* what is being done; ``None`` where it is not to be shown.

    Args:
        say: takes a line where the stream is no terminal; ``None`` says nothing there.
    """
    try:
        terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # there is no stream, or it is closed
        return None
    if terminal:
        return Terminal(stream)
    return None if say is None else Lines(say)


class _Shown:
    """The steps of one context, the inner ones last; a thread shows the last one as long as there is any."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._steps: list[Step] = []
        self._over = threading.Event()

    def begin(self, step: Step) -> None:
        self._steps.append(step)
        if len(self._steps) == 1:
            self._over = threading.Event()
            self._thread = threading.Thread(target=self._show, args=(self._over,), name="linkenv-progress", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """End the last step; where it is the outermost, nothing is shown any more when this returns."""
        self._steps.pop()
        if not self._steps:
            self._over.set()
            self._thread.join()

    def _show(self, over: threading.Event) -> None:
        while not over.wait(_PAUSE):
            for step in self._steps[-1:]:
                seconds = time.monotonic() - step.began
                if seconds >= self._display.patience:
                    self._display.show(step, seconds)
        self._display.clear()


_shown: ContextVar[_Shown | None] = ContextVar("linkenv-progress", default=None)


@contextlib.contextmanager
def shown(display: Display | None) -> Iterator[None]:
    """Show on *display* what is done in this context and this thread; ``None`` leaves it to who decided before."""
    if display is None:
        yield
        return
    token = _shown.set(_Shown(display))
    try:
        yield
    finally:
        _shown.reset(token)


@contextlib.contextmanager
def doing(text: str) -> Iterator[Step]:
    """Show, where anything is shown, that what *text* says is being done in this context.

    Nobody may write to the terminal in it.
    """
    step = Step(text)
    current = _shown.get()
    if current is None:
        yield step
        return
    current.begin(step)
    try:
        yield step
    finally:
        current.end()


def megabytes(size: int) -> str:
    """Return *size*, in bytes, for people."""
    return f"{size / 1e6:.1f} MB"
