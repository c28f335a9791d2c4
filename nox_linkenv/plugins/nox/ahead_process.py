"""The process that works for the sessions of nox to come: interpreters are found as nox finds them."""

from __future__ import annotations

import inspect
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from nox.virtualenv import InterpreterNotFound, VirtualEnv

from nox_linkenv.env.interpreter.search_cache import absolute_path, save_interpreter
from nox_linkenv.provision.ahead.process import NotFoundError, serve

if TYPE_CHECKING:
    from nox_linkenv.store import Store


def _find(store: Store, name: str | None) -> str:
    """Return the interpreter that nox finds by that *name*, and remember it for nox."""
    signature = inspect.signature(VirtualEnv.__init__).parameters
    options: dict[str, Any] = {"download_python": "never"} if "download_python" in signature else {}
    if "venv_backend" in signature:
        options["venv_backend"] = "virtualenv"
    try:
        resolved = VirtualEnv(os.devnull, name, **options)._resolved_interpreter
    except InterpreterNotFound as error:
        raise NotFoundError(str(error)) from error
    if name is not None:
        save_interpreter(store, name, os.environ, os.getcwd(), resolved, now=time.time())
    return absolute_path(resolved)


if __name__ == "__main__":
    sys.exit(serve(_find))
