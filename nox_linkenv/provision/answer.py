"""The end of every request that was not answered before: refuse, plan, store, remember, carry out."""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

from nox_linkenv.env.bytecode import index_bytecode, sources
from nox_linkenv.env.planning import RULES, CollisionError, Installable, make_plan
from nox_linkenv.errors import UnsupportedWheelError
from nox_linkenv.progress import doing
from nox_linkenv.projects.reads import Reads
from nox_linkenv.projects.surroundings import READ
from nox_linkenv.projects.widening import load_names, widen
from nox_linkenv.resolve.archives import direct_url_of
from nox_linkenv.resolve.cache import (
    UNKNOWN,
    CachedResolution,
    Reading,
    WheelSource,
    last_inputs,
    resolution_name,
    save_inputs,
    save_resolution,
)
from nox_linkenv.resolve.fetch import fetch
from nox_linkenv.resolve.inputs import LEFT, NOT_KEPT, differences
from nox_linkenv.resolve.key import Key, Unkeyable
from nox_linkenv.resolve.report import Origin, Resolved
from nox_linkenv.resolve.request import Course, Outcome, Source
from nox_linkenv.store.layout import PLANS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nox_linkenv.env.plan import Plan
    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.projects.sdist_cache import SourceBuilds
    from nox_linkenv.provision.environment import Environment
    from nox_linkenv.provision.keys import RequestKeys
    from nox_linkenv.provision.pip_builds import PipBuilds
    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.resolve.pip_arguments import Arguments
    from nox_linkenv.store import Manifest, Store

__all__ = [
    "FAILED",
    "Answer",
    "RefusedError",
    "StoredWheel",
    "asked",
    "install_answer",
    "local_archives",
    "moving",
    "reason_to_ask",
    "stored_wheels",
]


#: The way of a request whose failure in pip the host takes for a success.
FAILED: Final = Course(Source.ASKED, "pip failed, and that was allowed", "it failed, and that was allowed")


#: How many differences between two requests are told.
_TOLD: Final = 8


class RefusedError(Exception):
    """An answer that cannot be carried out here; the message says why, in one clause."""


@dataclass(frozen=True, slots=True)
class StoredWheel:
    """A stored wheel which is a part of an answer.

    Attributes:
        name: of the distribution.
        wheel: what is to be installed.
        requirement: what pip is asked for to get it again; empty where it cannot be had again.
    """

    name: str
    wheel: Installable
    requirement: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be installed for a request.

    Attributes:
        time: when it was resolved, in seconds since the epoch.
        names: of all distributions of it.
        wheels: fetches or builds them, stores them, and returns them; raises :class:`RefusedError` where it cannot.
        lasting_keys: called when the wheels are stored; returns the keys under which the answer is remembered.
        course: which way the request took.
        pinned: whether the request allows no other answer.
        reads: called when the wheels are stored; returns what the builds of some of them have read.
        reading: what pip read for it.
        not_kept: called where there are no keys; returns why, in one clause, ``None`` where that needs no word.
        pip_seconds: called when the wheels are stored; returns how long pip ran for it, if it was measured.
    """

    time: float
    names: Sequence[str]
    wheels: Callable[[], Sequence[StoredWheel]]
    lasting_keys: Callable[[], Sequence[Key]]
    course: Course
    reads: Callable[[], Reads]
    pinned: bool = False
    reading: Reading = UNKNOWN
    not_kept: Callable[[], str | None] = lambda: None
    pip_seconds: Callable[[], float | None] = lambda: None


def install_answer(environment: Environment, keys: RequestKeys, answer: Answer, pip: Pip) -> Outcome:
    """Install *answer* to the request of *keys*.

    Raises:
        RefusedError: only pip can; nothing has been changed in the environment.
        LinkenvError: a wheel was refused, or the store or the environment cannot be written.
    """
    assert keys.receipt is not None
    assert keys.arguments is not None
    replaced = environment.replaced(answer.names)
    if replaced and keys.overwrites:
        raise RefusedError("it writes over what is installed")
    if not all(found.removable for found in replaced):
        raise RefusedError("a distribution without a RECORD is to be replaced")
    stored = answer.wheels()
    wheels = [part.wheel for part in stored]
    if any(canonicalize_name(part.name) == "pip" and part.wheel.direct_url is not None for part in stored):
        raise RefusedError("pip itself is to be replaced by one that is named by its place")
    try:
        plan = make_plan(wheels, keys.receipt.facts)
    except CollisionError as collision:
        raise RefusedError(f"more than one file is to be at {collision}") from collision
    outside = environment.leading_outside(plan)
    if outside is not None:
        raise RefusedError(f"a link leads {outside} outside of the environment")
    resolution = CachedResolution(
        time=answer.time,
        pinned=answer.pinned,
        plan=_store_plan(environment, wheels, plan, keys.receipt) if wheels else None,
        wheels=tuple(WheelSource(part.name, part.wheel.manifest.digest, part.requirement) for part in stored),
        reading=answer.reading,
        pip_seconds=answer.pip_seconds(),
    )
    lasting = answer.lasting_keys()
    if not lasting and isinstance(keys.full, Key) and (reason := answer.not_kept()) is not None:
        save_inputs(environment.store, keys.place, {**keys.full.inputs, **_left(keys), NOT_KEPT: reason})
    for key in lasting:
        archives = _archives(key, plan)
        if archives is not None:
            _save(environment.store, keys, key, replace(resolution, archives=archives), answer.reads())
    if not wheels:
        rest = "" if answer.names else "; nothing to install"
        course = answer.course._replace(message=f"{answer.course.message}{rest}")
        took = resolution.pip_seconds
        return Outcome((), course, resolved=answer.time, reading=answer.reading, pip_seconds=took)
    with doing(f"linking {len(plan.links.paths)} files"):
        return environment.carry_out(plan, resolution, keys.arguments, pip, answer.course)


def _left(keys: RequestKeys) -> dict[str, str]:
    """Return the inputs of *keys* which are others by now: builds have left them so, under names that say it."""
    assert isinstance(keys.full, Key)
    now = keys.again().full
    found = now.inputs.items() if isinstance(now, Key) else ()
    return {name + LEFT: value for name, value in found if keys.full.inputs.get(name) != value}


def _archives(key: Key, plan: Plan) -> dict[str, str] | None:
    """Return the names of the archives of *key* by the path of the file that names the place of each.

    ``None`` where one has none, so that its answer would not do for an archive elsewhere.
    """
    if not key.archives:
        return {}
    found = {}
    texts = {path: text for path, text, _ in plan.texts if path.endswith(".dist-info/direct_url.json")}
    for name, place in key.archives.items():
        found.update({path: name for path, text in texts.items() if direct_url_of(place, text) == text})
    return found if sorted(found.values()) == sorted(key.archives) else None


def _save(store: Store, keys: RequestKeys, key: Key, resolution: CachedResolution, reads: Reads) -> None:
    """Remember *resolution* under *key* and what was *reads* for it."""
    digest, inputs = key.digest, key.inputs
    if reads:
        surroundings = keys.surroundings()
        name = resolution_name(digest)
        widened = widen(digest, load_names(store, name), reads, surroundings)
        store.note(name, widened.dumps())
        digest, inputs = widened.key, {**inputs, **surroundings.short(reads)}
    save_resolution(store, digest, resolution)
    save_inputs(store, keys.place, inputs)


def _store_plan(environment: Environment, wheels: Sequence[Installable], plan: Plan, receipt: Receipt) -> str:
    """Store *plan* under a name that says all it was made from, and which bytecode there is for it."""
    parts = [[wheel.manifest.digest, wheel.requested, wheel.direct_url] for wheel in wheels]
    digest = hashlib.sha256(json.dumps([RULES, parts, receipt.facts.to_json()], sort_keys=True).encode()).hexdigest()
    name = PLANS.file(digest)
    environment.store.note(name, plan.dumps())
    if environment.settings.bytecode:
        modules = sources(plan.links, [path for path, _ in plan.empty], receipt.facts)
        index_bytecode(environment.store, name, modules, receipt.facts)
    return name


def stored_wheels(
    items: Sequence[Resolved],
    sources: SourceBuilds,
    builds: PipBuilds,
    environment: Environment,
    arguments: Arguments,
    pip: Pip,
) -> dict[str, Manifest]:
    """Return the manifest of each of *items* by its name, stored now if it was not before.

    Args:
        builds: those of pip for this request; what belongs to the answer is added to what they have read.

    Raises:
        RefusedError: pip could not fetch or build one of them by itself, or one is odd.
        LinkenvError: a wheel was refused, or the store cannot be written.
    """
    known = sources.known(items)
    rest = [item for item in items if item.name not in known]
    made = [item for item in rest if item.origin is not Origin.WHEEL]
    began = time.time()
    try:
        with builds.watched() if made else nullcontext():
            found = fetch(environment.store, rest, arguments, pip, notes=environment.notes)
    except UnsupportedWheelError as odd:
        raise RefusedError(f"{odd.what[0].lower()}{odd.what[1:]} ({os.path.basename(odd.path or '')})") from odd
    if found is None:
        raise RefusedError("a wheel could not be fetched or built by itself")
    builds.reads |= Reads.union(build.reads for build in known.values())
    if made:
        reads = builds.judge([found[item.name] for item in made], builds.finish(len(made)), began)
        if builds.lasting:
            # pip builds a branch anew each time, even where it keeps the wheels of releases.
            sources.keep([item for item in made if not (reads.unseen and item.moves)], found, reads)
    return {**{name: build.manifest for name, build in known.items()}, **found}


def local_archives(items: Sequence[Resolved], key: Key | Unkeyable, directory: str) -> Reads:
    """Return the archives on this disk among *items* whose content is no part of *key*.

    An index on this disk leads to them, or the metadata of something else do.

    Args:
        directory: absolute path of the directory that pip ran in.
    """
    known = set(key.archives.values()) if isinstance(key, Key) else set()
    for name in key.inputs if isinstance(key, Key) else ():
        kind, _, place = name.partition(" ")
        if kind in ("find-links", "local"):
            place = place.removeprefix("wheel ").removeprefix("sdist ") if kind == "local" else place
            known.add(os.path.normpath(os.path.join(directory, place)))
    paths = {item.path for item in items if item.path is not None and not item.moves}
    return Reads(archives=frozenset(path for path in paths if known.isdisjoint((path, os.path.dirname(path)))))


def asked(reason: str, *others: str) -> Course:
    """Return the way of a request that pip was asked because of *reason*, which is one clause, and of *others*."""
    return Course(Source.ASKED, f"asked pip: {reason}", reason, others)


def moving(items: Sequence[Resolved]) -> str | None:
    """Return why an answer of *items* may be another one the next time, in one clause; ``None`` where it is not."""
    moves = next((item for item in items if item.moves), None)
    if moves is None:
        return None
    what = "a directory" if moves.origin is Origin.DIRECTORY else "a branch or tag"
    return f"{moves.name} comes from {what}, which is looked up each time"


def reason_to_ask(store: Store, keys: RequestKeys, key: Key | Unkeyable) -> Course:
    """Return the way of a request that pip has to be asked, which says why."""
    if isinstance(key, Unkeyable):
        return asked(key.reason)
    before = last_inputs(store, keys.place)
    if before is None:
        return asked(keys.not_reused or "this request is new")
    now = dict(key.inputs)
    names = load_names(store, resolution_name(key.digest))
    if names is not None:
        now.update(keys.surroundings().short(names))
    else:
        before = {name: value for name, value in before.items() if not name.endswith(READ)}
    not_kept = before.pop(NOT_KEPT, None)
    for name in [name for name in before if name.endswith(LEFT)]:
        plain, left = name.removesuffix(LEFT), before.pop(name)
        if now.get(plain) == left:  # not in a fresh checkout, but in the one that was built in
            before[plain] = left
    if found := differences(before, now):
        return asked(found[0], *found[:_TOLD])
    if not_kept is not None:
        return asked(f"the last answer was not kept, as {not_kept}")
    return asked(keys.not_reused or "the resolution is too old")
