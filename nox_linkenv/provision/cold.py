"""The cold path: pip is asked, and its answer carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

from nox_linkenv.env.planning import Installable
from nox_linkenv.errors import OfflineError, ResolutionError
from nox_linkenv.projects.reads import NOTHING
from nox_linkenv.projects.requirements import UnmodelledError, with_listed
from nox_linkenv.projects.sdist_cache import SourceBuilds
from nox_linkenv.provision.answer import (
    FAILED,
    Answer,
    RefusedError,
    StoredWheel,
    asked,
    install_answer,
    local_archives,
    moving,
    reason_to_ask,
    stored_wheels,
)
from nox_linkenv.provision.delegate import delegate, install_editable
from nox_linkenv.provision.pip_builds import UNSEEN, PipBuilds, pip_builds
from nox_linkenv.resolve.at_hand import wheels_at_hand
from nox_linkenv.resolve.cache import Reading
from nox_linkenv.resolve.dry_run import DryRun, PipAnswer
from nox_linkenv.resolve.inputs import UnkeyableError, changed
from nox_linkenv.resolve.key import MORE, Key, Unkeyable
from nox_linkenv.resolve.pip_config import settings_of
from nox_linkenv.resolve.report import Origin, Resolved
from nox_linkenv.resolve.request import Course, Outcome, Source
from nox_linkenv.resolve.unsupported import configures_builds, unsupported

if TYPE_CHECKING:
    from nox_linkenv.provision.environment import Environment
    from nox_linkenv.provision.keys import RequestKeys
    from nox_linkenv.provision.sdists import BuiltSdists
    from nox_linkenv.resolve.pip import TimedPip

__all__ = ["install_cold"]

#: What is said of a request that nothing but the files which it names decides.
_AT_HAND: Final = Course(Source.AT_HAND, "took the wheels at hand, as nothing else is to be installed")


def install_cold(
    environment: Environment,
    keys: RequestKeys,
    key: Key | Unkeyable,
    pip: TimedPip,
    *,
    answered: PipAnswer | None = None,
    sdists: BuiltSdists | None = None,
) -> Outcome:
    """Let pip answer the request of *keys*, and carry its answer out; or leave the request to pip altogether.

    Args:
        key: of the request, or why its answer cannot be remembered.
        answered: pip's answer, where it has been asked already.
        sdists: those on this disk that have been built for it.

    Raises:
        OfflineError: offline mode is on.
        LinkenvError: a wheel was refused, or the store or the environment cannot be written.
        Whatever *pip* raises where pip fails.
    """
    request, receipt, arguments = keys.request, keys.receipt, keys.arguments
    if environment.settings.offline:
        why = f": {key.reason}" if isinstance(key, Unkeyable) else ""
        raise OfflineError(
            f"Offline, and no resolution of this request is remembered{why}",
            remedy="Run once without LINKENV_OFFLINE, with the network there.",
        )
    if receipt is None or arguments is None or keys.mute is not None:
        assert isinstance(key, Unkeyable)
        return delegate(request, pip, key.reason)
    reason = unsupported(request.environ, keys.config)
    if reason is not None:
        return delegate(request, pip, reason)
    with pip_builds(environment, keys) as builds:
        return _install_answered(environment, keys, key, pip, builds, answered, sdists)


def _install_answered(
    environment: Environment,
    keys: RequestKeys,
    key: Key | Unkeyable,
    pip: TimedPip,
    builds: PipBuilds,
    answered: PipAnswer | None,
    sdists: BuiltSdists | None,
) -> Outcome:
    request, receipt, arguments = keys.request, keys.receipt, keys.arguments
    assert receipt is not None
    assert arguments is not None
    course = reason_to_ask(environment.store, keys, key)
    if sdists is not None and (found_at_hand := sdists.at_hand()) is not None:
        course, answered = found_at_hand
    elif answered is None and isinstance(key, Key):
        at_hand = wheels_at_hand(request, arguments, key, keys.config, receipt.facts)
        if at_hand is not None and (key.replaces or not environment.replaced([item.name for item in at_hand])):
            course, answered = _AT_HAND, PipAnswer(at_hand, Reading())
    if answered is None:
        try:
            with builds.watched():
                answered = None if sdists is None else sdists.ask(pip)
                sdists = None if answered is None else sdists
                answered = answered or DryRun(environment.store, request.environ, keys.config).ask(pip)
        except ResolutionError as error:  # of a pip that is newer than this
            return delegate(request, pip, error.what)
        builds.finish(0)
        course = course if builds.lasting or isinstance(key, Unkeyable) else asked(UNSEEN)
    if answered is None:
        return Outcome((), FAILED)
    environment.notes.extend(answered.notes)
    resolved = answered.resolved
    linked = [item for item in resolved if item.origin is not Origin.EDITABLE]
    editable = [item for item in resolved if item.origin is Origin.EDITABLE]
    if editable and any(canonicalize_name(item.name) == "pip" for item in linked):
        return delegate(request, pip, "pip itself is to be replaced, and to install a project in editable mode before")
    unknown = key.remote - answered.files if isinstance(key, Key) else frozenset()
    ours = {item.name: found for item in linked if sdists is not None and (found := sdists.of(item)) is not None}
    built = any(item.origin is not Origin.WHEEL and item.name not in ours for item in linked)
    if built and configures_builds(arguments, request.environ, keys.config):
        return delegate(request, pip, "settings for build backends are given")
    if (built or editable) and arguments.names_files():
        try:
            settings = settings_of(request.environ, keys.config)
            arguments = with_listed(arguments, request.environ, request.directory, settings, answered.files)
        except (UnmodelledError, UnkeyableError) as error:
            return delegate(request, pip, str(error))

    def wheels() -> list[StoredWheel]:
        sources = SourceBuilds(
            environment.store, request, arguments, keys.config, environment.prefix, receipt, keys.surroundings
        )
        others = [item for item in linked if item.name not in ours]
        made = stored_wheels(others, sources, builds, environment, arguments, pip)
        found = {**ours, **{item.name: (made[item.name], _again(item)) for item in others}}
        return [
            StoredWheel(item.name, Installable(wheel, item.requested, item.direct_url), again)
            for item in linked
            for wheel, again in [found[item.name]]
        ]

    def lasting_keys() -> list[Key]:
        lasting = builds.lasting and moving(linked) is None and not unknown
        return [key] if lasting and isinstance(key, Key) and key == keys.again().key else []

    def not_kept() -> str | None:
        if not builds.lasting:
            return UNSEEN
        if (moves := moving(linked)) is not None:
            return moves
        if unknown:
            return f"{min(unknown)} {MORE}"
        now = keys.again().full
        if isinstance(key, Key) and isinstance(now, Key) and (difference := changed(key.inputs, now.inputs)):
            return f"{difference} while pip was asked"
        return None

    answer = Answer(
        time=environment.clock() if sdists is None else min(environment.clock(), sdists.oldest),
        names=[item.name for item in resolved],
        wheels=wheels,
        lasting_keys=lasting_keys,
        course=course,
        reads=lambda: (
            builds.reads
            | local_archives(linked, key, request.directory)
            | (NOTHING if sdists is None else sdists.reads)
        ),
        pinned=isinstance(key, Key) and key.pinned,
        reading=answered.reading,
        not_kept=not_kept,
        pip_seconds=lambda: pip.seconds,
    )
    try:
        outcome = install_answer(environment, keys, answer, pip)
    except RefusedError as refused:
        return delegate(request, pip, str(refused))
    if editable:
        install_editable(editable, arguments, pip)
    return outcome


def _again(item: Resolved) -> str:
    return "" if item.origin is Origin.DIRECTORY else item.requirement()
