"""Remembered resolutions: what pip answered to a request, by the request's key."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.resolve.inputs import veiled
from nox_linkenv.store.layout import PLANS, REQUESTS, RESOLUTIONS, unit_name
from nox_linkenv.store.notes import measured, optional, rows, seconds, string

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nox_linkenv.store import Store

__all__ = [
    "UNKNOWN",
    "CachedResolution",
    "Reading",
    "WheelSource",
    "ago",
    "cached_wheels",
    "last_inputs",
    "load_resolution",
    "parse_resolution",
    "resolution_name",
    "save_inputs",
    "save_resolution",
]


@dataclass(frozen=True, slots=True)
class WheelSource:
    """Where a wheel came from, to fetch it again if it is damaged.

    Args:
        name: of the distribution.
        digest: hexadecimal SHA-256 of the wheel.
        requirement: what pip was asked for to get it; empty for one built from a local project.
    """

    name: str
    digest: str
    requirement: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What pip read to give an answer.

    Attributes:
        pages: file names, in the store, and identities of the pages of indexes.
        means: digest of the variables that say how pages are reached.
        obstacle: why the answer cannot be renewed from its pages, in one clause; ``None`` where it can.
    """

    pages: tuple[tuple[str, str], ...] = ()
    means: str = ""
    obstacle: str | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Reading:
        """Return what has been written as *data*.

        Raises:
            ValueError, TypeError, KeyError: it is something else.
        """
        pages = tuple((name, identity) for name, identity in rows(data["pages"], str, str))
        return cls(pages, string(data["means"]), optional(data["obstacle"]))

    def __add__(self, other: Reading) -> Reading:
        """Return what was read for both of two answers."""
        if self.pages and other.pages and self.means != other.means:
            return Reading(obstacle="pages were reached by different means")
        pages = dict.fromkeys([*self.pages, *other.pages])
        return Reading(tuple(pages), self.means or other.means, self.obstacle or other.obstacle)


#: What is not known to have been read.
UNKNOWN: Final = Reading(obstacle="it is not known what pip read")


@dataclass(frozen=True, slots=True)
class CachedResolution:
    """An answer.

    Args:
        time: when pip gave it, or would have given it again, in seconds since the epoch.
        pinned: whether the request allows no other answer, so that it never ages.
        plan: name of the stored plan, ``None`` where nothing was to be installed.
        wheels: what the plan installs.
        archives: names of archives which may lie elsewhere the next time, by the path of the file that names the place.
        reading: what pip read for it.
        pip_seconds: that pip ran for it; ``None`` where that was not measured.
    """

    time: float
    pinned: bool
    plan: str | None
    wheels: tuple[WheelSource, ...]
    archives: Mapping[str, str] = field(default_factory=dict)
    reading: Reading = UNKNOWN
    pip_seconds: float | None = None

    def is_fresh(self, now: float, limit: float) -> bool:
        """Return whether it is less than *limit* seconds old, or never ages; a limit of 0 has nothing reused."""
        return limit > 0 and (self.pinned or 0 <= now - self.time < limit)


def ago(seconds: float) -> str:
    """Return in words how long ago *seconds* were."""
    if seconds < 60:
        return f"{max(0, round(seconds))} s ago"
    if seconds < 3600:
        return f"{round(seconds / 60)} min ago"
    return f"{round(seconds / 3600)} h ago"


def load_resolution(store: Store, digest: str) -> CachedResolution | None:
    """Return the answer to the request with the key *digest*, whatever its age, or ``None``."""
    return store.load(resolution_name(digest), parse_resolution)


def parse_resolution(data: dict[str, Any]) -> CachedResolution | None:
    """Return the answer that :func:`save_resolution` wrote as JSON; it raises what is wrong with *data*."""
    if "wheels" not in data:
        return None  # what builds have read for answers with this key, which are elsewhere
    return CachedResolution(
        time=seconds(data["time"]),
        pinned=bool(data["pinned"]),
        plan=None if data["plan"] is None else unit_name(PLANS, data["plan"]),
        wheels=tuple(WheelSource(*wheel) for wheel in rows(data["wheels"], str, str, str)),
        archives={string(name): string(value) for name, value in data["archives"].items()},
        reading=Reading.of(data["reading"]),
        pip_seconds=measured(data.get("pip_seconds")),
    )


def save_resolution(store: Store, digest: str, answer: CachedResolution) -> None:
    """Keep *answer* under the key *digest*."""
    data = asdict(answer)
    data["wheels"] = [[wheel.name, wheel.digest, wheel.requirement] for wheel in answer.wheels]
    store.note(resolution_name(digest), json.dumps(data))


def save_inputs(store: Store, place: Sequence[str], inputs: Mapping[str, str]) -> None:
    """Keep the *inputs* of a request as the last ones of its *place*.

    Args:
        place: what makes two requests the same one to a user: the environment and the arguments.
    """
    store.note(_place(place), json.dumps(dict(inputs)))


def cached_wheels(store: Store) -> Iterator[WheelSource]:
    """Yield the wheels of all remembered answers; one may come several times."""
    for top, _, names in os.walk(store.layout.directory(RESOLUTIONS.name)):
        for name in names:
            answer = load_resolution(store, os.path.basename(top) + name.removesuffix(".json"))
            if answer is not None:
                yield from answer.wheels


def last_inputs(store: Store, place: Sequence[str]) -> dict[str, str] | None:
    """Return the inputs of the last request answered by pip at *place*."""
    return store.load(_place(place), lambda data: {string(name): string(value) for name, value in data.items()})


def resolution_name(digest: str) -> str:
    """Return the file of the answer to the request with the key *digest*, relative to the format directory."""
    return RESOLUTIONS.file(digest)


def _place(place: Sequence[str]) -> str:
    digest = hashlib.sha256(veiled(json.dumps(list(place)).encode())).hexdigest()
    return REQUESTS.file(digest)
