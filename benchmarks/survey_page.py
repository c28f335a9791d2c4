"""The page of the survey, from what was found. No I/O."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from nox_linkenv.resolve.request import Source

from .report import table
from .survey_runs import HERE, Project, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["page"]

_WARM: Final = (Source.REUSED.value, Source.RENEWED.value, Source.AT_HAND.value)
_NAMES: Final = ("first", "second", "third")
#: What of a reason is the project's own, so that alike ones are counted together.
_OWN: Final = re.compile(r"(?<=the project )\S+|[^\s,]*/[^\s,]+|\S+\.(?:txt|in|toml|cfg)\b")
#: The directory that a project is in.
_CLONE: Final = re.compile(r"/\S*?/clones/[^/\s]+")
_PAGE: Final = """\
# Benchmarks: a survey of public projects

Made by `python -m benchmarks.survey --write`. It is about what is asked of pip, not about seconds.

The newest sdists of public projects were unpacked, what was generated for the sdist was removed, and the rest
committed into a repository of git with a tag for the version. Of each, up to two sessions were run: of its noxfile or,
where there is none or it requests nothing, of its tox file. They are the first one that tests on Python 3.12 (else
3.13, 3.11, 3.10, else any), and the first one that checks, builds or documents. Only what they install was run, by
`nox --install-only -fb linked` and `tox run --notest --runner linked`. Lines that choose tox-uv's environments were
taken out of tox files, so that these, too, install by pip.
This was done three times, each time in a fresh clone at the same place, as for the next job or on the next morning.
All projects share one store, which had nothing before. In the second run answers are seconds old. For the third one
they count as old after a second, so that the index is asked whether its pages are still the same.

{projects} projects with {sessions} sessions are counted: those that ran each time, and requested something.

{runs}
*Reused*, *renewed* and *at hand*: pip did not run. Requests are those of the journal, as `linkenv stats` counts them;
those of tox's package environments for the requirements of builds are among them ({packaging} in the second run).
{unseen}
## Why pip ran

{reasons}
## What is not counted

{failed}
## Projects

{table}
Made on {date}, {versions}.{remark}
"""


def page(projects: Sequence[Project], limit: float, known: Mapping[str, str], remark: str = "") -> str:
    """Return the page.

    Args:
        limit: seconds that a run of a session might take.
        known: facts about the machine, and versions.
        remark: a sentence for the end.
    """
    counted = [project for project in projects if project.counted]
    runs = [[one for project in counted for one in _requests(project, number)] for number in range(len(_NAMES))]
    return _PAGE.format(
        projects=len(counted),
        sessions=sum(len(project.counted) for project in counted),
        runs=table(
            ("run", "requests", *(source.value for source in Source), "without pip"),
            [(name, *_sums(requests)) for name, requests in zip(_NAMES, runs, strict=True)],
        ),
        packaging=sum(one.session.startswith(".pkg") for one in runs[1]),
        unseen=_unseen(counted),
        reasons=_reasons(counted),
        failed=_failed(projects, limit),
        table=table(
            ("project", "version", "sessions", "requests", *(f"{name}, without pip" for name in _NAMES)),
            [_row(project) for project in sorted(counted, key=lambda project: project.name)],
        ),
        date=known["date"],
        versions=", ".join(f"{name} {version}" for name, version in known.items() if name != "date"),
        remark=f" {remark}" if remark else "",
    )


def _requests(project: Project, number: int) -> list[Request]:
    return [request for tried in project.counted for request in tried.runs[number].requests]


def _sums(requests: Sequence[Request]) -> list[str]:
    sources = [str(sum(one.source == source.value for one in requests)) for source in Source]
    return [str(len(requests)), *sources, f"{_warm(requests) / max(1, len(requests)):.1%}"]


def _warm(requests: Iterable[Request]) -> int:
    return sum(one.source in _WARM for one in requests)


def _unseen(projects: Sequence[Project]) -> str:
    """Say of which installations nothing is in the journal, as they did not come here."""
    found = {
        f"{project.name} `{tried.name}`": tried.runs[1].lines - len(tried.runs[1].requests)
        for project in projects
        for tried in project.counted
    }
    missing = {name: number for name, number in found.items() if number > 0}
    if not missing:
        return "nox and tox told of no further installations.\n"
    names = ", ".join(f"{name} {number}" for name, number in missing.items())
    return f"Of {sum(missing.values())} installations more that nox and tox told of, nothing is in it: {names}.\n"


def _reasons(projects: Sequence[Project]) -> str:
    found: dict[tuple[str, str], list[list[str]]] = defaultdict(lambda: [[] for _ in _NAMES])
    for number in range(len(_NAMES))[1:]:
        for project in projects:
            for one in _requests(project, number):
                if one.source not in _WARM:
                    words = _CLONE.sub(".", shlex.join(one.arguments))[:80]
                    shown = f"{project.name} {one.session}: `{words}`".replace("|", "/")
                    found[one.source, _OWN.sub("*", one.reason or "")][number].append(shown)
    if not found:
        return "It did not, neither in the second run nor in the third.\n"
    rows = [
        (source, reason, str(len(runs[1])), str(len(runs[2])), next(shown for run in runs for shown in run))
        for (source, reason), runs in sorted(found.items(), key=lambda item: (-len(item[1][1]), -len(item[1][2])))
    ]
    return table(("answer", "reason", "second run", "third run", "example"), rows)


def _failed(projects: Sequence[Project], limit: float) -> str:
    """Name projects of which nothing is counted, and sessions beside some that are, and why."""
    rows = [(project.name, project.failed or "") for project in projects if not project.counted]
    rows += [
        (f"{project.name} `{tried.name}`", tried.failed or "no request")
        for project in projects
        for tried in project.sessions
        if project.counted and tried not in project.counted
    ]
    alone = sum(HERE in text for _, text in rows)
    head = (
        f"A run of a session had {limit:.0f} seconds. What failed was tried again with virtualenv and pip alone; "
        f"{alone or 'none'} of it ran there.\n\n"
    )
    return head + table(("what", "why"), rows)


def _row(project: Project) -> tuple[str, ...]:
    names = ", ".join(tried.name for tried in project.counted)
    runs = [_requests(project, number) for number in range(len(_NAMES))]
    warm = [f"{_warm(requests)} of {len(requests)}" for requests in runs]
    return project.name, project.version, f"{project.host}: {names}", str(len(runs[1])), *warm
