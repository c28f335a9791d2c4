"""What to do about it that pip had to answer a request: for each reason that a session's line may give."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from nox_linkenv.projects.builder import CHANGED
from nox_linkenv.provision.pip_builds import UNSEEN
from nox_linkenv.resolve.inputs import ARGUMENTS, INSTALLED, INTERPRETER, PIP
from nox_linkenv.resolve.key import MORE
from nox_linkenv.resolve.specifiers import LOCAL_PROJECT

__all__ = ["remedies", "remedy_of"]


class _Remedy(NamedTuple):
    """What to do, where *reason* is found in the reason that was given."""

    reason: str
    text: str


_ONCE: Final = "Nothing: with this one remembered, the next session that asks the same is warm."
_DIFFERENCE: Final = r"(.+) (?:changed|appeared|is gone)(?: while pip was asked)?"
_REMEDIES: Final = (
    _Remedy(
        "this request is new",
        f"{_ONCE} `linkenv warm` has the answers to the sessions of a noxfile before they run; where the machine is new"
        " for each job, keep the store between jobs.",
    ),
    _Remedy(
        "what pip takes depends on the time",
        "Give --uploaded-prior-to a moment with its time zone, such as 2026-01-01T00:00:00Z, or give resolution-age the"
        " seconds for which an answer may stand.",
    ),
    _Remedy(
        "the index cannot be asked",
        "See that the index can be reached, or set offline to have answers of any age do.",
    ),
    _Remedy(
        "the resolution is too old",
        "Let answers stand for longer with resolution-age (seconds), or pin the requirements with hashes: an answer to"
        " such a request never ages.",
    ),
    _Remedy(
        "what is stored for its answer cannot be used",
        "Nothing: it is stored again. `linkenv verify` looks for more.",
    ),
    _Remedy(
        "version control is looked up|is checked out anew|a branch or tag",
        "Name a commit in full, with its forty digits: it never moves, so that the answer is remembered.",
    ),
    _Remedy(
        "a directory",
        "Name the project in the request itself: then it is built here, and again only when something has changed.",
    ),
    _Remedy(
        f"{UNSEEN}|{MORE}",
        "Keep in the project what the build or the file reads, with nothing in it that changes each time.",
    ),
    _Remedy(
        f"{CHANGED}|changed meanwhile|changes files of the project|may come to something else",
        "See that nothing writes into the project while it is built; what a build generates there is best ignored by"
        " version control.",
    ),
    _Remedy(
        "visible in it|sees the packages of its base interpreter",
        "Make the environment without --system-site-packages: what lies outside of it cannot be known.",
    ),
    _Remedy("reuse-builds is off", "Set reuse-builds to true."),
    _Remedy(
        "without isolation|how distributions are built",
        "Leave it out, and list what the build needs in build-system.requires.",
    ),
    _Remedy(
        "settings for build backends are given",
        "Put them into the project's configuration instead of the command line.",
    ),
    _Remedy(
        "cannot report what it would install|it cannot be told which pip|does not work",
        "Have pip 23.0 or newer in the environment.",
    ),
    _Remedy("the environment is not one of ours", "Remove the environment: the next session makes a linked one."),
    _Remedy(
        "without a RECORD is to be replaced|writes over what is installed",
        "Install it in a fresh environment (nox without -r).",
    ),
    _Remedy(
        f"{LOCAL_PROJECT}|the local project is not built here|a local project",
        "See the page on local projects for the forms in which a project is built here.",
    ),
    _Remedy("an option is not modelled", "Leave out the option that is unusual, if the session can do without it."),
    _Remedy("it failed, and that was allowed", "Look at what pip said; a failure is never remembered."),
)
_GENERAL: Final = "Only pip itself can answer this. A request without it is answered from the store."


def remedies() -> dict[str, str]:
    """Return what to do by the pattern of the reason that it is for: alternatives of plain words."""
    return {remedy.reason: remedy.text for remedy in _REMEDIES}


def remedy_of(reason: str) -> str:
    """Return what to do about it that pip had to answer because of *reason*, in a sentence or two."""
    for remedy in _REMEDIES:
        if re.search(remedy.reason, reason):
            return remedy.text
    difference = re.fullmatch(_DIFFERENCE, reason)
    return _GENERAL if difference is None else _of_input(difference[1])


def _of_input(name: str) -> str:
    """Return what to do about an input of that *name* which was another one the last time."""
    if name == ARGUMENTS:
        return f"{_ONCE} Each list of arguments is remembered by itself."
    if name == INTERPRETER:
        return f"{_ONCE} The interpreter was upgraded, or is another one."
    if name == PIP:
        return f"{_ONCE} Install a fixed version of pip, or none, to have it stay."
    if name == INSTALLED:
        return f"{_ONCE} Install the same in the same order before it, or all of it in one request."
    if re.fullmatch(r"_?[A-Z][A-Z0-9_]*|\$\{\w+\}", name):
        return f"Set {name.strip('${}')} the same each time, or nowhere: pip, or a build, can see it."
    return _ONCE
