"""Running a program on a real terminal, and what is seen of it there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["on_terminal", "screen"]

#: Makes its standard input the terminal that controls it, so that what is typed there interrupts it.
_CONTROLLED: Final = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def on_terminal(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    columns: int = 100,
    interrupt_at: str | None = None,
    within: float = 100.0,
) -> tuple[int, str]:
    """Run *command* on a terminal of its own; return its exit code and all that it has written there.

    Args:
        interrupt_at: type an interrupt when this is shown for the first time.
        within: seconds.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-c", _CONTROLLED, *command],
        cwd=cwd,
        env={**env, "TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    ) as process:
        os.close(slave)
        shown, end = b"", time.monotonic() + within
        with contextlib.suppress(OSError):  # of Linux, where nobody has the other end open any more
            while block := os.read(master, 4096):
                shown += block
                assert time.monotonic() < end, shown
                if interrupt_at is not None and interrupt_at.encode() in shown:
                    interrupt_at = None
                    os.write(master, b"\x03")
        code = process.wait(within)
    os.close(master)
    return code, shown.decode()


def screen(text: str) -> list[str]:
    """Return the lines that a terminal shows in the end, without the spaces at their ends; colours are left out."""
    lines, column, at = [""], 0, 0
    while at < len(text):
        if text.startswith("\x1b[", at):
            at += 2
            while not text[at].isalpha():
                at += 1
        elif text[at] == "\r":
            column = 0
        elif text[at] == "\n":
            lines.append("")
        else:
            lines[-1] = lines[-1].ljust(column)[:column] + text[at] + lines[-1][column + 1 :]
            column += 1
        at += 1
    return [line.rstrip() for line in lines]
