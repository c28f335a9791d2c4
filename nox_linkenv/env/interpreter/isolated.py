"""Starting Python so that the directory it is started in decides nothing of what it imports.

``python -m`` and ``python -c`` look for modules in the current directory first, where anyone may have put a
``json.py``.  ``-P`` (Python 3.11) and ``-I`` keep them from that.  ``-I`` also leaves out ``PYTHONPATH`` and the user's
own site-packages, where this package itself may be: then its place is said.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["module_command", "pip_command"]

#: Arguments: how many directories, these, the module, its arguments.  What is looked for there is looked for last.
_MODULE: Final = (
    "import sys; from runpy import run_module; end = int(sys.argv[1]) + 2; sys.path += sys.argv[2:end];"
    " del sys.argv[:end]; run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
)
#: Like ``-m pip``, but for the current directory; all else that decides what pip imports is the user's.
_PIP: Final = (
    "import sys; sys.path[:1] = [path for path in sys.path[:1] if path]; from runpy import run_module;"
    " run_module('pip', run_name='__main__', alter_sys=True)"
)


def module_command(module: str, needed: Sequence[str]) -> list[str]:
    """Return the command that runs *module* in a process of this very interpreter.

    Args:
        module: dotted name.
        needed: top-level packages that it imports; one that cannot be found here is left out.
    """
    places = list(dict.fromkeys(_places((module.partition(".")[0], *needed))))
    return [sys.executable, "-I", "-c", _MODULE, str(len(places)), *places, module]


def pip_command(python: str) -> list[str]:
    """Return the command that runs pip of the environment with the interpreter *python*."""
    return [python, "-c", _PIP]


def _places(packages: Sequence[str]) -> Iterator[str]:
    """Yield the directories (or archives) that hold *packages*."""
    for name in packages:
        spec = find_spec(name)
        for place in () if spec is None else spec.submodule_search_locations or [spec.origin or ""]:
            if os.path.isabs(place):
                yield os.path.dirname(place)
