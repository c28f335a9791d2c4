"""Finding the interpreter that virtualenv takes for a specification; its answers are remembered."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from nox_linkenv.env.interpreter.search_cache import load_interpreter, save_interpreter
from nox_linkenv.errors import EnvError
from nox_linkenv.store.temporary import temporary_directory

if TYPE_CHECKING:
    from nox_linkenv.store import Store

__all__ = ["MissingPythonError", "find_interpreter"]


class MissingPythonError(EnvError):
    """There is no interpreter of this kind on this machine."""


def find_interpreter(spec: str | None, store: Store, *, age: float) -> str:
    """Return the absolute path of the interpreter for *spec*.

    Args:
        spec: a version such as ``3.12``, a name or a path; ``None`` for the interpreter that runs this.
        store: where answers are remembered.
        age: the most seconds that an answer is good for.

    Raises:
        MissingPythonError: there is none.
    """
    __tracebackhide__ = True
    if spec is None or spec == sys.executable:
        return getattr(sys, "_base_executable", sys.executable)
    search = (store, spec, os.environ, os.getcwd())
    path = load_interpreter(*search, now=time.time(), age=age)
    if path is None:
        path = _ask_virtualenv(spec, store)
        save_interpreter(*search, path, now=time.time())
    return path


def _ask_virtualenv(spec: str, store: Store) -> str:
    import logging

    __tracebackhide__ = True

    from virtualenv import session_via_cli

    loggers = [logging.getLogger(name) for name in ("virtualenv", "python_discovery", "filelock", "distlib")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    found: str | None = None
    try:
        with temporary_directory(store.layout) as scratch:
            arguments = ["--python", spec, os.path.join(scratch, "env")]
            found = session_via_cli(arguments, setup_logging=False).interpreter.system_executable
    except (RuntimeError, SystemExit):
        found = None
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    if not found and os.path.isabs(spec) and os.path.exists(spec):
        return spec  # what is wrong with it, virtualenv says when the environment is made
    if not found:
        raise MissingPythonError(f"There is no Python {spec} here", remedy="Install it, or name another one.")
    return found
