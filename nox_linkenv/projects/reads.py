"""What a build has read besides the project: the names of it, not the values.

Whether a build would come out the same is known by what :meth:`nox_linkenv.projects.surroundings.Surroundings.digest`
says of the same names now and then.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from nox_linkenv.store.notes import strings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["NOTHING", "UNKNOWN", "Reads"]


@dataclass(frozen=True, slots=True)
class Reads:
    """What has been read.  More than that does no harm: what it is used again for is only checked more.

    Attributes:
        variables: names of environment variables that were looked up.
        programs: names of programs that were looked for on ``PATH``.
        files: absolute paths of files whose content was read, or which were not there.
        states: absolute paths at which was looked what stands there.
        lists: absolute paths of directories whose names were read.
        scans: the same, where kinds, sizes and times of what is in them may have been read.
        metadata: absolute paths of directories of which it was read what setuptools has left of metadata in them.
        trees: absolute paths of directories that a foreign program was given.
        facts: what was asked of the process or the machine, by the names of functions of :mod:`os`, or of the fields of
            :func:`os.uname`.
        archives: absolute paths of wheels and sdists that pip was led to.
        entries, kinds, names: what was looked at in the project itself, where that is all that was read of it; see
            :mod:`nox_linkenv.projects.inside`.
        all_variables: whether all variables were read, or handed to a program that is not watched.
        path: whether the value of ``PATH`` was read.
        tools: whether a compiler or a tool like it ran, which runs others of its kind.
        commands: whether a program ran that may run any other on ``PATH``.
        location: whether the environment's own path is in what was made.
        installed: whether something that is installed in the environment was read.
        date: whether today's date is in what was made.
        remote: whether another machine was asked for something.
        unseen: whether something was read of which it is not known what.
    """

    variables: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    states: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    scans: frozenset[str] = frozenset()
    metadata: frozenset[str] = frozenset()
    trees: frozenset[str] = frozenset()
    facts: frozenset[str] = frozenset()
    archives: frozenset[str] = frozenset()
    entries: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    all_variables: bool = False
    path: bool = False
    tools: bool = False
    commands: bool = False
    location: bool = False
    installed: bool = False
    date: bool = False
    remote: bool = False
    unseen: bool = False

    def __or__(self, other: Reads) -> Reads:
        return Reads(**{field.name: getattr(self, field.name) | getattr(other, field.name) for field in fields(Reads)})

    def __bool__(self) -> bool:
        return self != NOTHING

    def __len__(self) -> int:
        return sum(len(getattr(self, name)) for name in _SETS)

    @property
    def outside(self) -> Reads:
        """What has been read besides the project."""
        return replace(self, entries=frozenset(), kinds=frozenset(), names=frozenset())

    def to_json(self) -> dict[str, Any]:
        """Return what is not empty, as plain data."""
        found: dict[str, Any] = {name: sorted(getattr(self, name)) for name in _SETS if getattr(self, name)}
        return {**found, "flags": [name for name in _FLAGS if getattr(self, name)]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reads:
        """Return the reads that :meth:`to_json` wrote.

        Raises:
            KeyError, TypeError: *data* is not that.
        """
        flags = strings(data["flags"])
        if not set(flags) <= set(_FLAGS):
            raise TypeError("an unknown flag")
        values: dict[str, Any] = dict.fromkeys(flags, True)
        values.update((name, frozenset(strings(value))) for name, value in data.items() if name != "flags")
        return cls(**values)

    @staticmethod
    def union(several: Iterable[Reads]) -> Reads:
        found = NOTHING
        for reads in several:
            found |= reads
        return found


_FLAGS = tuple(field.name for field in fields(Reads) if field.default is False)
_SETS = tuple(field.name for field in fields(Reads) if field.default is not False)
NOTHING = Reads()
#: Of a build that was not watched.
UNKNOWN = Reads(all_variables=True, path=True, tools=True, commands=True, location=True, installed=True, date=True)
