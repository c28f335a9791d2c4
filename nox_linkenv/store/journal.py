"""The journal: what was done for each session, and how large the store was, one line of JSON each.

It is appended to by one write when a session is over, by any number of processes at once.  There is one file for each
week: an old one is removed when a new one is begun, and by pruning.  Nothing depends on it: a line that is damaged is
passed over, and where it cannot be written there is none.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from nox_linkenv.regular import read_regular
from nox_linkenv.store.directories import names_of
from nox_linkenv.store.files import make_shared
from nox_linkenv.store.layout import JOURNAL
from nox_linkenv.store.notes import measured, optional, seconds, string, strings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nox_linkenv.store.layout import Layout

__all__ = ["RUN", "Entry", "Installed", "Made", "Session", "Size", "append", "clear", "read"]

#: Names the run of the host which this process is.
RUN: Final = f"{os.getpid()}-{time.time():.0f}"
#: The most bytes of a line: so many are written at once by any system.
_LINE: Final = 4000
#: The most bytes of a week; what comes after is not noted.
_MOST: Final = 4 << 20
#: The most characters of a reason.
_REASON: Final = 240
_DAY: Final = 86_400.0
#: Seconds by which the clock of a filesystem may be behind the one that says when a session ended.
_BEHIND: Final = 2.0
_FLAGS: Final = (
    os.O_WRONLY
    | os.O_APPEND
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
#: The most bytes of a request's arguments; of a longer one none are kept.
_ARGUMENTS: Final = 1200
#: User name and password in a URL, as far as whoever splits it would take them to go (RFC 3986, section 3.2).
_USER: Final = re.compile(r"(?<=://)[^/\s?#]*@")


class Made(NamedTuple):
    """How an environment came to stand.

    Args:
        origin: value of a :class:`~nox_linkenv.provision.policy.Creation`.
        reason: why virtualenv made it, in one clause; ``None`` where that needs no word.
        seconds: that it took.
        linked, copied: bytes of its files that were not written, and that were copied.
    """

    origin: str
    reason: str | None
    seconds: float
    linked: int
    copied: int


class Installed(NamedTuple):
    """One request.

    Args:
        source: value of a :class:`~nox_linkenv.resolve.request.Source`.
        reason: why pip had to answer, in one clause; ``None`` where it had not.
        seconds: that it took.
        distributions: number of those that were linked.
        pip_seconds: that pip ran for it, now or when it gave the answer; ``None`` where that was not measured.
        linked, copied: bytes of its files that were not written, and that were copied.
        inputs: what differed from the last request at this place, the most telling first.
        arguments: of ``pip install``, as they were given; none where they are too long.
    """

    source: str
    reason: str | None
    seconds: float
    distributions: int
    pip_seconds: float | None
    linked: int
    copied: int
    inputs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


class Session(NamedTuple):
    """What was done for one session.

    Args:
        run: names the run of the host; sessions of other processes have another one.
        host: ``nox``, ``tox`` or ``linkenv``.
        project: absolute path of the directory of the project.
        name: what the host calls the session.
        prefix: absolute path of its environment.
        began, ended: in seconds since the epoch.
        made: how the environment came to stand; ``None`` in a further line on the same session.
        installs: its requests, in order.
    """

    run: str
    host: str
    project: str
    name: str
    prefix: str
    began: float
    ended: float
    made: Made | None
    installs: tuple[Installed, ...] = ()

    @property
    def time(self) -> float:
        """When it ended."""
        return self.ended

    def to_json(self) -> dict[str, Any]:
        return {"kind": "session", **self._asdict()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Session:
        """Return the session that :meth:`to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: *data* is not one.
        """
        made = data["made"]
        return cls(
            run=string(data["run"]),
            host=string(data["host"]),
            project=string(data["project"]),
            name=string(data["name"]),
            prefix=string(data["prefix"]),
            began=seconds(data["began"]),
            ended=seconds(data["ended"]),
            made=None if made is None else _made(*made),
            installs=tuple(_installed(*install) for install in data["installs"]),
        )


class Size(NamedTuple):
    """How large the store was.

    Args:
        time: when it was looked at, in seconds since the epoch.
        kinds: bytes on the disk by kind; their sum is what the store takes.
    """

    time: float
    kinds: dict[str, int]

    @property
    def total(self) -> int:
        """Bytes of the whole store."""
        return sum(self.kinds.values())

    def to_json(self) -> dict[str, Any]:
        return {"kind": "size", **self._asdict()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Size:
        """Return the size that :meth:`to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: *data* is not one.
        """
        return cls(seconds(data["time"]), {string(name): _whole(value) for name, value in data["kinds"].items()})


Entry: TypeAlias = "Session | Size"


def append(layout: Layout, entries: Iterable[Entry], *, now: float, days: float) -> None:
    """Write *entries* at the end of the journal, if it can be written.

    Args:
        now: in seconds since the epoch.
        days: how long they are kept; 0 writes nothing.
    """
    content = b"".join(line for entry in entries for line in _lines(entry)) if days else b""
    if not content:
        return
    path = f"{layout.base}/{JOURNAL.name}/{time.strftime('%G-W%V', time.gmtime(now))}.jsonl"
    with contextlib.suppress(OSError):
        try:
            descriptor = os.open(path, _FLAGS)
        except FileNotFoundError:
            clear(layout, before=now - days * _DAY)
            make_shared(path)
            descriptor = os.open(path, _FLAGS)
        try:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and status.st_size + len(content) <= _MOST:
                os.write(descriptor, content)
        finally:
            os.close(descriptor)


def read(layout: Layout, *, since: float = 0.0) -> list[Entry]:
    """Return what the journal has since then, the oldest first.

    Args:
        since: in seconds since the epoch.
    """
    return sorted((entry for entry in _entries(layout, since) if entry.time >= since), key=lambda entry: entry.time)


def clear(layout: Layout, *, before: float = float("inf")) -> None:
    """Remove the weeks whose last line was written before then.

    Args:
        before: in seconds since the epoch.

    Raises:
        OSError: one cannot be removed.
    """
    directory = layout.directory(JOURNAL.name)
    for name in names_of(directory):
        with contextlib.suppress(FileNotFoundError):
            if os.lstat(f"{directory}/{name}").st_mtime < before:
                os.unlink(f"{directory}/{name}")


def _lines(entry: Entry) -> Iterator[bytes]:
    """Yield the lines that make up *entry*: of a session with very many requests there are several."""
    if isinstance(entry, Session):
        entry = entry._replace(
            made=None if entry.made is None else entry.made._replace(reason=_clause(entry.made.reason)),
            installs=tuple(map(_shown, entry.installs)),
        )
    line = f"{json.dumps(entry.to_json(), separators=(',', ':'))}\n".encode("ascii")
    if len(line) <= _LINE:
        yield line
    elif isinstance(entry, Session) and len(entry.installs) > 1:
        half = len(entry.installs) // 2
        yield from _lines(entry._replace(installs=entry.installs[:half]))
        yield from _lines(entry._replace(made=None, installs=entry.installs[half:]))


def _shown(install: Installed) -> Installed:
    """Return *install* as it is kept."""
    arguments = tuple(_USER.sub("", argument) for argument in install.arguments)
    return install._replace(
        reason=_clause(install.reason),
        inputs=tuple(text[:_REASON] for text in install.inputs),
        arguments=arguments if len(json.dumps(arguments)) <= _ARGUMENTS else (),
    )


def _clause(reason: str | None) -> str | None:
    """Return *reason* as it is kept: not too long, and without what only its reader may know."""
    return None if reason is None else _USER.sub("", reason)[:_REASON]


def _entries(layout: Layout, since: float) -> Iterator[Entry]:
    """Yield what the weeks have whose last line was written then or later."""
    directory = layout.directory(JOURNAL.name)
    for name in names_of(directory):
        try:
            if os.lstat(f"{directory}/{name}").st_mtime < since - _BEHIND:
                continue
            content = read_regular(f"{directory}/{name}", limit=_MOST)
        except OSError:
            continue
        for line in content.splitlines():
            try:
                data = json.loads(line)
                yield (Session if data["kind"] == "session" else Size).from_json(data)
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
                continue  # cut off, or of another version


def _made(origin: Any, reason: Any, took: Any, linked: Any, copied: Any) -> Made:
    return Made(string(origin), optional(reason), seconds(took), _whole(linked), _whole(copied))


def _installed(
    source: Any,
    reason: Any,
    took: Any,
    count: Any,
    pip: Any,
    linked: Any,
    copied: Any,
    inputs: Any,
    words: Any = (),
) -> Installed:
    numbers = (_whole(count), measured(pip), _whole(linked), _whole(copied))
    texts = (tuple(strings(inputs)), tuple(strings(list(words))))
    return Installed(string(source), optional(reason), seconds(took), *numbers, *texts)


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("not an integer")
    return value
