"""``linkenv why``: why a session was not warm, by what the journal has of it."""

from __future__ import annotations

import os
import shlex
import time
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.cli.options import opened, set_completer, settings_of
from nox_linkenv.cli.output import Style
from nox_linkenv.cli.remedies import remedy_of
from nox_linkenv.cli.sessions import known_names, named, of_last_run
from nox_linkenv.provision.account import is_hit, joined
from nox_linkenv.provision.policy import Creation
from nox_linkenv.store.journal import Installed, Session, read
from nox_linkenv.units import ago, seconds_

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from nox_linkenv.cli.output import Output

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Say why a session was not warm: what differed from the last one, and what to do about it. Named is a session, as "
    "nox or tox calls it, or the directory of its environment; the last one of that name counts, in the project of the "
    "current directory if it has one. Without a name, all sessions of the last run in this project."
)
EXAMPLES: Final = {
    "linkenv why": "all sessions of the last run here",
    "linkenv why tests-3.12": "the last session of that name",
    "linkenv why .nox/lint": "the last session in that environment",
}
#: What there is to say of an environment that was not there to be linked.
_ORIGINS: Final = {
    Creation.CAPTURED.value: "Nothing: what virtualenv makes of this interpreter was not known here; now it is.",
    Creation.VIRTUALENV.value: "`linkenv doctor` names what stands in the way of linking.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    session = parser.add_argument(
        "session", metavar="SESSION|ENV", nargs="?", help="name of a session, or its environment"
    )
    set_completer(session, known_names)


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Say it."""
    store = opened(settings_of(arguments))
    sessions = joined(entry for entry in read(store.layout) if isinstance(entry, Session))
    chosen = named(arguments.session, sessions) if arguments.session else of_last_run(sessions)
    found = [_explained(session, sessions) for session in chosen]
    output.data({"store": store.layout.root, "sessions": found})
    for number, session in enumerate(found):
        if number:
            output.line()
        _show(session, output)
    return 0


def _is_warm(session: Session) -> bool:
    origin = Creation.KEPT.value if session.made is None else session.made.origin
    return origin not in _ORIGINS and all(map(is_hit, session.installs))


def _explained(session: Session, sessions: Sequence[Session]) -> dict[str, Any]:
    made = session.made
    alike = [other for other in sessions if other.prefix == session.prefix and other.ended < session.ended]
    before = alike[-1].installs if alike else ()
    return {
        "session": session.name,
        "host": session.host,
        "project": session.project,
        "environment": session.prefix,
        "ended": session.ended,
        "warm": _is_warm(session),
        "last_warm": max((other.ended for other in alike if _is_warm(other)), default=None),
        "origin": None if made is None else made.origin,
        "origin_reason": None if made is None else made.reason,
        "origin_seconds": None if made is None else made.seconds,
        "origin_remedy": None if made is None else _ORIGINS.get(made.origin),
        "requests": [
            {
                "answer": install.source,
                "warm": is_hit(install),
                "seconds": install.seconds,
                "reason": install.reason,
                "changed": [*install.inputs, *_reworded(number, session.installs, before)],
                "remedy": None if install.reason is None else remedy_of(install.reason),
            }
            for number, install in enumerate(session.installs)
        ],
    }


def _reworded(number: int, installs: Sequence[Installed], before: Sequence[Installed]) -> list[str]:
    """Return how the words of a request differ from those of the one in its place in the session *before*.

    One that pip need not answer differs in nothing that matters, nor does one that was asked before in another place.
    """
    now = installs[number].arguments
    asked = [install.arguments for install in before]
    if is_hit(installs[number]) or not now or now in asked or number >= len(asked) or not asked[number]:
        return []
    then = asked[number]
    new = [argument for argument in now if argument not in then]
    gone = [argument for argument in then if argument not in now]
    if new and gone:
        return [f"the request has {shlex.join(new)}, it had {shlex.join(gone)}"]
    if new or gone:
        return [f"the request has {shlex.join(new)} more" if new else f"the request has {shlex.join(gone)} no more"]
    return ["the request's arguments stand in another order"]


def _show(found: dict[str, Any], output: Output) -> None:
    state = output.painted("warm", Style.GOOD) if found["warm"] else output.painted("not warm", Style.DOUBT)
    name = output.painted(found["session"], Style.STRONG)
    output.line(f"{name} ({found['host']}, {found['project']}), {ago(found['ended'])}: {state}")
    if found["origin"] is not None and found["origin"] != Creation.KEPT.value:
        why = f": {found['origin_reason']}" if found["origin_reason"] else ""
        output.line(f"  environment: {found['origin']}, {seconds_(found['origin_seconds'])}{why}")
    if found["origin_remedy"]:
        output.line(f"    what to do: {found['origin_remedy']}")
    for number, request in enumerate(found["requests"], 1):
        why = f": {request['reason']}" if request["reason"] else ""
        output.line(f"  request {number}: {request['answer']}, {seconds_(request['seconds'])}{why}")
        for name in request["changed"]:
            output.line(f"    differs: {name}{_since(found['project'], name, found['ended'])}")
        if request["remedy"]:
            output.line(f"    what to do: {request['remedy']}")
    if not found["warm"] and found["last_warm"] is not None:
        output.line(f"  the last warm session in this environment: {ago(found['last_warm'])}")


def _since(project: str, difference: str, ended: float) -> str:
    """Return when the file that a *difference* names was written, if it is one and has not been written since."""
    name, _, verb = difference.rpartition(" ")
    try:
        written = os.stat(os.path.join(project, name)).st_mtime
    except (OSError, ValueError):
        return ""
    return f" (written {ago(written, time.time())})" if verb == "changed" and written <= ended else ""
