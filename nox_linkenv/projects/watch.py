"""Watching builds: what their interpreters read is noted while the context of :class:`Watch` lasts.

See :mod:`nox_linkenv.projects.recorder`, which does the noting in those interpreters.
"""

from __future__ import annotations

import ast
import contextlib
import os
from typing import TYPE_CHECKING, Final

from nox_linkenv.projects import recorder
from nox_linkenv.projects.looking import OWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Note", "Watch", "standard_library"]

#: A kind, and what it is about.
Note = tuple[object, ...]
#: A module's stored bytecode may have been cut off by a full disk, which Python then does not get over itself.
_LOAD: Final = """\
try:
    code = loader.get_code("recorder")
except (EOFError, ImportError, TypeError, ValueError):
    code = loader.source_to_code(loader.get_data(loader.path), loader.path)
exec(code, g)
"""
_LINE: Final = (
    "import _frozen_importlib_external as e; g = {{'__name__': 'recorder'}};"
    " exec({load!r}, {{'loader': e.SourceFileLoader('recorder', {path!r}), 'g': g}});"
    " g['watch']({record!r}, {inert!r}, {every!r})\n"
)


class Watch:
    """Has the interpreters of one environment note what they read.

    Args:
        site_packages: absolute paths of the environment's directories for packages.
        directory: an absolute path of a directory for the notes, which nothing else uses.
        inert: absolute paths of directories whose content does not count.
        every: whether all interpreters count, and not only those that run a build.
        within: whether another one may watch the same environment meanwhile, which then does not see this build.
    """

    def __init__(
        self, site_packages: Sequence[str], directory: str, inert: Iterable[str], *, every: bool, within: bool = False
    ) -> None:
        """Prepare to watch.

        Raises:
            OSError: the directory for the notes cannot be written.
        """
        # The first one that is read watches: see the end of the recorder.
        self._pth = os.path.join(site_packages[0], f"{OWN}{'build' if within else 'watch'}.pth")
        self._record = os.path.join(directory, "record")
        path = os.path.join(directory, "recorder.py")
        paths = dict.fromkeys(f"{place}/" for place in (directory, *inert))
        self._line = _LINE.format(load=_LOAD, path=path, record=self._record, inert=tuple(paths), every=every)
        with open(recorder.__file__, encoding="utf-8") as stream:
            _write(path, stream.read())
        _write(self._record, "")

    def __enter__(self) -> Watch:
        """Begin to watch, or go on.

        Raises:
            OSError: the environment cannot be written, and there is nothing new in it.
        """
        try:
            _write(self._pth, self._line)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(self._pth)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._pth)

    def notes(self) -> list[Note] | None:
        """Return what has been noted, in its order; ``None`` where something could not be noted."""
        if os.path.lexists(f"{self._record}.broken"):
            return None
        try:
            with open(self._record, encoding="ascii") as stream:
                return [tuple(ast.literal_eval(line)) for line in stream]
        except (OSError, ValueError, SyntaxError, TypeError):
            return None


def standard_library(prefix: str, version: str) -> list[str]:
    """Return where the library and headers of the environment at *prefix* may be, whose Python has that *version*.

    Source: the documentation of :mod:`venv`, ``pyvenv.cfg``.
    """
    with contextlib.suppress(OSError), open(f"{prefix}/pyvenv.cfg", encoding="utf-8", errors="replace") as stream:
        for line in stream:
            name, _, value = line.partition("=")
            if name.strip() == "home":
                base = os.path.dirname(value.strip())
                major, minor = version.split(".")[:2]
                names = (f"python{major}.{minor}", f"pypy{major}.{minor}", f"python{major}{minor}.zip")
                return [f"{base}/{place}/{name}" for place in ("lib", "lib64", "include") for name in names]
    return []


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        stream.write(text)
