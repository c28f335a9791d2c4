"""From a request to what it asks for: the one entry that every host and the command line call."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from nox_linkenv.env.assembly.apply import stored_plan
from nox_linkenv.errors import DamagedObjectError
from nox_linkenv.provision.gc_pause import without_collector
from nox_linkenv.provision.keys import RequestKeys
from nox_linkenv.resolve.cache import CachedResolution, ago, load_resolution, resolution_name, save_resolution
from nox_linkenv.resolve.key import Key, Unkeyable
from nox_linkenv.resolve.request import Course, Outcome, Source

if TYPE_CHECKING:
    from nox_linkenv.provision.environment import Environment
    from nox_linkenv.resolve.pip import Pip, TimedPip
    from nox_linkenv.resolve.request import Request

__all__ = ["install"]


def install(environment: Environment, request: Request, pip: Pip) -> Outcome:
    """Install in *environment* what *request* asks for.

    Raises:
        OfflineError: offline mode is on and the answer to this request is not known.
        LinkenvError: a wheel was refused, or the store or the environment cannot be written.
        Whatever *pip* raises where pip fails.
    """
    began = time.perf_counter()
    environment.check()
    with environment.policy.installing(request):
        keys = RequestKeys(environment, request)
        outcome = _as_before(environment, keys, pip) or _in_turn(environment, keys, pip)
    told = environment.store.told()
    outcome = replace(outcome, warnings=(*told, *outcome.warnings), seconds=time.perf_counter() - began)
    environment.draft.add(request.arguments, outcome)
    return outcome


def _as_before(environment: Environment, keys: RequestKeys, pip: Pip) -> Outcome | None:
    """Carry out the plan of a cached resolution; ``None`` where there is none that holds."""
    if not isinstance(keys.full, Key):
        return None
    found = _find(environment, keys, keys.full.digest)
    if found is None:
        return None
    digest, resolution = found
    if keys.full.replaces and not environment.can_replace(resolution):
        return None
    since = keys.holds_since(resolution.time, resolution.reading, pinned=resolution.pinned)
    if since is None:
        return None
    source = Source.REUSED if since == resolution.time else Source.RENEWED
    course = Course(source, f"{source.value} the resolution of {ago(environment.clock() - resolution.time)}")
    if since != resolution.time:
        resolution = replace(resolution, time=since)
        save_resolution(environment.store, digest, resolution)
    if resolution.plan is None:
        environment.store.renew(resolution_name(digest))  # else the plan tells of its last use
    return _replay(resolution, environment, keys, pip, course)


def _find(environment: Environment, keys: RequestKeys, digest: str) -> tuple[str, CachedResolution] | None:
    """Return what is remembered under the key *digest*, or under that and what builds would read now; and the key."""
    resolution = load_resolution(environment.store, digest)
    if resolution is not None:
        return digest, resolution
    if environment.store.find(resolution_name(digest)) is None:
        return None
    from nox_linkenv.projects.widening import load_names, wider_key

    names = load_names(environment.store, resolution_name(digest), used=True)
    wider = None if names is None else wider_key(digest, names, keys.surroundings())
    resolution = None if wider is None else load_resolution(environment.store, wider)
    return None if wider is None or resolution is None else (wider, resolution)


@without_collector
def _replay(
    resolution: CachedResolution, environment: Environment, keys: RequestKeys, pip: Pip, course: Course
) -> Outcome | None:
    """Carry out the plan of *resolution*; ``None`` where the store has lost it, or it is to be left to pip."""
    if resolution.plan is None:
        course = course._replace(message=f"{course.message}: all is there")
        took = resolution.pip_seconds
        return Outcome((), course, resolved=resolution.time, reading=resolution.reading, pip_seconds=took)
    plan = stored_plan(environment.store, resolution.plan)
    if plan is None:
        keys.not_reused = "what is stored for its answer cannot be used"
        return None
    if environment.leading_outside(plan) is not None:
        return None
    assert keys.arguments is not None
    if resolution.archives:
        from nox_linkenv.resolve.archives import moved

        assert isinstance(keys.full, Key)
        texts = {path: text for path, text, _ in plan.texts}
        try:
            plan = plan.with_texts(moved(keys.full.archives, resolution.archives, texts))
            return environment.carry_out(plan, resolution, keys.arguments, pip, course)
        except (KeyError, OSError, ValueError, DamagedObjectError):  # where it was once is nothing to fetch it from
            return None
    return environment.carry_out(plan, resolution, keys.arguments, pip, course)


def _in_turn(environment: Environment, keys: RequestKeys, pip: Pip) -> Outcome:
    """Bring about what is missing, unless another process is about to: then wait for that, and look again."""
    from nox_linkenv.progress import shown

    with shown(environment.policy.display()):
        if not isinstance(keys.full, Key) or environment.settings.offline:
            return _anew(environment, keys, pip)
        from nox_linkenv.provision.turns import in_turn

        environment.policy.asking(environment.store)
        with in_turn(environment.store, keys.full.digest) as waited:
            more = _brought(environment, keys, keys.full.digest) or waited
            return (_as_before(environment, keys, pip) if more else None) or _anew(environment, keys, pip)


def _brought(environment: Environment, keys: RequestKeys, digest: str) -> bool:
    """Have the answer to the request with the key *digest* brought from the remote store; return whether it was.

    One that is here is too old, or cannot be carried out: the other store's may be newer.
    """
    store = environment.store
    if store.remote is None:
        return False
    from nox_linkenv.projects.widening import load_names, wider_key

    came = store.seek(resolution_name(digest))
    names = load_names(store, resolution_name(digest), used=True)
    wider = None if names is None else wider_key(digest, names, keys.surroundings())
    return (wider is not None and store.seek(resolution_name(wider))) or came


def _anew(environment: Environment, keys: RequestKeys, pip: Pip) -> Outcome:
    """Bring about what is missing.

    A project may have to be built for that, in an environment that has its requirements installed by this very module:
    so :func:`install` is handed down.
    """
    from nox_linkenv.provision.cold import install_cold
    from nox_linkenv.resolve.pip import TimedPip

    key, answered, timed = keys.key, None, TimedPip(pip)
    if not isinstance(key, Key | Unkeyable):
        from nox_linkenv.provision.build_environment import build_environments
        from nox_linkenv.provision.local import install_local

        found = install_local(environment, keys, key, timed, build_environments(environment, install))
        if isinstance(found, Outcome):
            return _measured(found, timed)
        key, answered = Unkeyable(found.reason), found.answered
    sdists = None
    if isinstance(key, Key) and not environment.settings.offline and keys.names_sdists:
        from nox_linkenv.provision.build_environment import build_environments
        from nox_linkenv.provision.sdists import build_sdists

        sdists = build_sdists(environment, keys, key, build_environments(environment, install))
    return _measured(install_cold(environment, keys, key, timed, answered=answered, sdists=sdists), timed)


def _measured(outcome: Outcome, pip: TimedPip) -> Outcome:
    """Return *outcome* with all the time that *pip* has run for it, where it was pip that answered."""
    return replace(outcome, pip_seconds=pip.seconds) if outcome.course.reason is not None else outcome
