"""Work in a forked process, which may be killed, and leaves nothing behind in this one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import signal
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Ended", "apart"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a forked process ended.

    Attributes:
        code: 0 where it did what it was to do, 70 where that ended in an error; below 0 the signal that ended it.
        said: what it wrote to standard error, with its traceback if it has one.
        value: what else it has to say.
    """

    code: int
    said: str
    value: Any


def apart(work: Callable[[], tuple[int, Any]], *, seconds: float = 600.0) -> Ended:
    """Do *work*, which returns an exit code and what can be written in JSON, in a forked process.

    Args:
        seconds: after which it waits for ever, however busy the machine is, and is killed.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code, value = 70, None
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
                code, value = work()
        except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
            said.write(traceback.format_exc())
        with open(writer, "w", encoding="utf-8", errors="replace") as stream:
            json.dump([said.getvalue()[-20_000:], value], stream)
        os._exit(code)
    os.close(writer)
    with open(reader, encoding="utf-8") as stream:
        hangs = not select.select([stream], [], [], seconds)[0]
        if hangs:
            os.kill(child, signal.SIGKILL)
        text = stream.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if hangs:
        return Ended(70, "it hangs", None)
    told, result = json.loads(text) if text else ("", None)
    return Ended(code, told, result)
