"""What virtualenv answers tox about an interpreter and the environment that is made of it, remembered.

To answer, virtualenv looks for the interpreter and loads everything that it makes environments with.  What it said is
remembered like the interpreter that nox finds, and no longer: see :mod:`nox_linkenv.env.interpreter.search_cache`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tox.tox_env.python.api import PythonInfo, VersionInfo
from tox.version import version as tox_version
from virtualenv import __version__ as virtualenv_version

from nox_linkenv.env.interpreter.search_cache import Search, load, save
from nox_linkenv.env.skeleton import fits, is_configured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nox_linkenv.store import Store

__all__ = ["Answers", "Question", "can_be_cached"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What virtualenv said.

    Args:
        python: the base interpreter as tox knows it.
        interpreter: its path as virtualenv uses it.
        programs: directories that go first on PATH.
        packages, platform_packages: site-packages directories for pure and other modules.
        scripts, executable: directory of programs, and the interpreter in it.
    """

    python: PythonInfo
    interpreter: str
    programs: tuple[Path, ...]
    packages: Path
    platform_packages: Path
    scripts: Path
    executable: Path


def can_be_cached(prefix: Path, specs: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Return whether everything that decides virtualenv's answer can be seen."""
    relative = any(os.sep in spec and not os.path.isabs(spec) for spec in specs)
    tried_first = environ.get("VIRTUALENV_TRY_FIRST_WITH")  # paths, by tox's option --discover
    return not relative and not tried_first and not is_configured(environ) and fits(str(prefix))


class Question:
    """A question to virtualenv: everything that decides its answer.

    Args:
        prefix: directory of the environment.
        specs: the interpreters asked for, by preference.
        environ: the variables that virtualenv gets.
    """

    def __init__(self, store: Store, prefix: Path, specs: Sequence[str], environ: Mapping[str, str]) -> None:
        discovery = getattr(sys.modules.get("python_discovery"), "__version__", "")
        asked = " ".join(["tox", tox_version, virtualenv_version, discovery, *specs])
        self.prefix = prefix
        self.search = Search(store, asked, environ, os.getcwd(), tuple(_files(specs)))

    def load(self, *, now: float, age: float) -> Answers | None:
        """Return the answers remembered, or ``None`` where there are none, or anything has changed since.

        Args:
            now, age: seconds since the epoch, and the most seconds that may have passed.
        """
        data = load(self.search, now=now, age=age)
        try:
            return None if data is None else self._read(data)
        except (KeyError, TypeError, ValueError):
            return None

    def save(self, answers: Answers, *, now: float) -> None:
        """Remember *answers*, if this version of tox has nothing in them that is not known here."""
        python = {name: getattr(answers.python, name) for name in _names()}
        extra = python.pop("extra")
        if set(extra) != {"executable"}:
            return
        try:
            data = {
                "python": {**python, "version_info": list(python["version_info"])},
                "interpreter": answers.interpreter,
                "programs": [self._inside(path) for path in answers.programs],
                **{name: self._inside(getattr(answers, name)) for name in _PATHS},
            }
            save(self.search, str(extra["executable"]), now=now, details=data)
        except (TypeError, ValueError):  # a path outside of the environment, a value that is not plain
            return

    def _read(self, data: Mapping[str, Any]) -> Answers:
        known = dict(data["python"])
        if {*known, "extra"} != set(_names()):
            raise ValueError("another version of tox has written it")
        known["version_info"] = VersionInfo(*known["version_info"])
        return Answers(
            python=PythonInfo(**known, extra={"executable": Path(data["path"])}),
            interpreter=data["interpreter"],
            programs=tuple(self.prefix / path for path in data["programs"]),
            **{name: self.prefix / data[name] for name in _PATHS},
        )

    def _inside(self, path: Path) -> str:
        return path.relative_to(self.prefix).as_posix()


def _files(specs: Sequence[str]) -> Iterator[str]:
    """Yield, for interpreters that are named by their paths, these and what makes them those of an environment."""
    for spec in filter(os.path.isabs, specs):
        directory = os.path.dirname(spec)
        yield from (spec, os.path.join(directory, _CONFIG), os.path.join(os.path.dirname(directory), _CONFIG))


_CONFIG: Final = "pyvenv.cfg"
_PATHS: Final = ("packages", "platform_packages", "scripts", "executable")


def _names() -> Sequence[str]:
    """Return the names of what this version of tox knows of an interpreter."""
    named: Sequence[str] | None = getattr(PythonInfo, "_fields", None)  # a named tuple before 4.5x
    return named if named is not None else tuple(PythonInfo.__dataclass_fields__)
