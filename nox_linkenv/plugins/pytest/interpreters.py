"""Finding the interpreters that tests ask for."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from nox_linkenv.env.interpreters import recall_interpreter, remember_interpreter
from nox_linkenv.errors import LinkenvError

if TYPE_CHECKING:
    from nox_linkenv.store import Store

__all__ = ["MissingPythonError", "find_python"]


class MissingPythonError(LinkenvError):
    """There is no interpreter of this kind on this machine."""


def find_python(wanted: str, store: Store, *, age: float) -> str:
    """Return the absolute path of the interpreter that virtualenv takes for *wanted*.

    Args:
        wanted: a version such as ``3.12``, a name or a path.
        store: where answers are remembered.
        age: the most seconds that an answer is good for.

    Raises:
        MissingPythonError: there is none.
    """
    __tracebackhide__ = True
    if wanted == sys.executable:
        return getattr(sys, "_base_executable", sys.executable)
    search = (store, wanted, os.environ, os.getcwd())
    path = recall_interpreter(*search, now=time.time(), age=age)
    if path is None:
        path = _ask_virtualenv(wanted)
        remember_interpreter(*search, path, now=time.time())
    return path


def _ask_virtualenv(wanted: str) -> str:
    import logging
    import tempfile

    __tracebackhide__ = True

    from virtualenv import session_via_cli

    loggers = [logging.getLogger(name) for name in ("virtualenv", "python_discovery", "filelock", "distlib")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    found: str | None = None
    reason: BaseException | None = None
    try:
        with tempfile.TemporaryDirectory(prefix="linkenv-") as scratch:
            arguments = ["--python", wanted, os.path.join(scratch, "env")]
            found = session_via_cli(arguments, setup_logging=False).interpreter.system_executable
    except (RuntimeError, SystemExit) as error:
        reason = error
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    if not found:
        raise MissingPythonError(
            f"There is no Python {wanted} here", remedy="Install it, or name another one."
        ) from reason
    return found
