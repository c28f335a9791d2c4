"""``linkenv report``: a run, or the last weeks, as a page with pictures, as a table in Markdown, or as text."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nox_linkenv.cli.options import duration, opened, settings_of
from nox_linkenv.cli.pages.document import page, section, table
from nox_linkenv.cli.pages.drawing import Bar, Cell, Row, line, timeline, treemap
from nox_linkenv.env.plan import Plan
from nox_linkenv.env.registry import find_known
from nox_linkenv.errors import EnvError
from nox_linkenv.maintenance.disk_usage import Disk
from nox_linkenv.maintenance.store_size import sizes_by_kind
from nox_linkenv.provision.account import account, is_hit, joined
from nox_linkenv.store.journal import Session, Size, read
from nox_linkenv.units import bytes_, count_of, seconds_

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from nox_linkenv.cli.output import Output
    from nox_linkenv.store import Store
    from nox_linkenv.store.journal import Entry

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Show the sessions of the last run in this project, or with --since those of a time: how long each took to make "
    "its environment, to install and to run, and where its environment came from. The page has besides how large the "
    "store was, its largest packages, and which environments share them."
)
EXAMPLES: Final = {
    "linkenv report": "the last run, as a table",
    "linkenv report --html run.html": "as a page with pictures",
    "linkenv report --since 14d --html weeks.html": "the last two weeks",
    "linkenv report --github-summary": "as Markdown, for the summary of a job",
}
#: The most sessions of a timeline, and packages of a list.
_ROWS: Final = 80
_PACKAGES: Final = 15
_HEADS: Final = ("session", "environment", "making", "installing", "running", "requests", "pip, and why")
_NUMBERS: Final = (2, 3, 4, 5)


class _Package(NamedTuple):
    """A stored distribution, its bytes, and the environments that have it."""

    name: str
    size: int
    environments: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("--html", metavar="FILE", help="write a page that needs no other file and no network")
    parser.add_argument("--since", metavar="AGE", type=duration, help="all sessions that are no older, such as 14d")
    parser.add_argument(
        "--github-summary",
        action="store_true",
        help="Markdown: added to the file that GITHUB_STEP_SUMMARY names, or printed",
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Show it."""
    store = opened(settings_of(arguments))
    now = time.time()
    entries = read(store.layout)
    sessions = _chosen(entries, None if arguments.since is None else now - arguments.since)
    rows = [_row(session) for session in sessions]
    if arguments.html:
        with output.progress() as progress:
            progress("adding up the store")
            text = _page(store, entries, sessions, rows, now)
        with open(arguments.html, "w", encoding="utf-8") as stream:
            stream.write(text)
    summary = _markdown(sessions, rows)
    place = os.environ.get("GITHUB_STEP_SUMMARY") if arguments.github_summary else None
    if place:
        with open(place, "a", encoding="utf-8") as stream:
            stream.write(summary)
    output.data({"store": store.layout.root, "html": arguments.html, "sessions": [_plain(one) for one in sessions]})
    if arguments.html:
        output.line(f"{count_of(len(sessions), 'session')}: {arguments.html}")
    elif arguments.github_summary:
        if not place:
            output.line(summary.rstrip())
    else:
        output.table(_HEADS, rows, right=_NUMBERS)
    return 0


def _chosen(entries: Sequence[Entry], since: float | None) -> list[Session]:
    """Return the sessions since then, or of the last run in this project, or of the last one of any.

    Raises:
        EnvError: there are none.
    """
    sessions = joined(entry for entry in entries if isinstance(entry, Session))
    if since is None:
        here = [session for session in sessions if session.project == os.getcwd()] or sessions
        found = [session for session in here if session.run == here[-1].run]
    else:
        found = [session for session in sessions if session.ended >= since]
    if not found:
        raise EnvError("Nothing is known of such sessions", remedy="A session is noted when it ends.")
    return found


def _spans(session: Session) -> tuple[float, float, float]:
    """Return the seconds of *session* for its environment, for its requests, and for all else."""
    making = 0.0 if session.made is None else session.made.seconds
    installing = sum(install.seconds for install in session.installs)
    return making, installing, max(0.0, session.ended - session.began - making - installing)


def _row(session: Session) -> list[str]:
    misses = [install for install in session.installs if not is_hit(install)]
    why = f"{len(misses)}: {misses[0].reason}" if misses else "-"
    origin = "kept" if session.made is None else session.made.origin
    return [session.name, origin, *map(seconds_, _spans(session)), str(len(session.installs)), why]


def _plain(session: Session) -> dict[str, Any]:
    making, installing, running = _spans(session)
    return {
        "session": session.name,
        "host": session.host,
        "project": session.project,
        "environment": session.prefix,
        "began": session.began,
        "ended": session.ended,
        "origin": None if session.made is None else session.made.origin,
        "making": making,
        "installing": round(installing, 4),
        "running": round(running, 4),
        "requests": [{"answer": one.source, "reason": one.reason, "seconds": one.seconds} for one in session.installs],
    }


def _total(sessions: Sequence[Session]) -> str:
    found = account(sessions)
    text = (
        f"{found.made} of {count_of(found.sessions, 'environment')} made in {seconds_(found.making)};"
        f" {count_of(found.requests, 'request')} answered in {seconds_(found.installing)}, {found.hits} without pip;"
        f" {bytes_(found.linked)} linked"
    )
    if not found.compared:
        return f"{text}."
    saved = found.saved_seconds
    same = count_of(found.compared, "answer") if found.compared != 1 else "answer"
    less = f"{seconds_(abs(saved))} {'less' if saved >= 0 else 'more'} than pip ran for the same {same}"
    return f"{text}; {less}."


def _markdown(sessions: Sequence[Session], rows: Sequence[Sequence[str]]) -> str:
    def cells(row: Sequence[str]) -> str:
        return "| " + " | ".join(text.replace("|", "\\|") for text in row) + " |"

    rule = ["---:" if at in _NUMBERS else "---" for at in range(len(_HEADS))]
    lines = ["### Linked environments", "", _total(sessions), "", cells(_HEADS), cells(rule), *map(cells, rows), ""]
    return "\n".join(lines) + "\n"


def _page(
    store: Store, entries: Sequence[Entry], sessions: Sequence[Session], rows: Sequence[Sequence[str]], now: float
) -> str:
    sizes = [entry for entry in entries if isinstance(entry, Size)]
    sizes.append(Size(now, sizes_by_kind(store, Disk())))
    packages = sorted(_packages(store), key=lambda package: -package.size)
    shown = sessions[-_ROWS:]
    runs = _begins(shown)
    keys = [("made", "making"), ("installed", "installing"), ("pip", "by pip"), ("ran", "running")]
    return page(
        "Linked environments",
        f"{_total(sessions)} Written {_minute(now)}; store {store.layout.root}.",
        [
            section(
                "Sessions",
                "Each run begins at 0." if len(runs) > 1 else "",
                timeline([Row(_named(one, runs), tuple(_bars(one, runs[one.run]))) for one in shown]),
                keys=keys,
            ),
            section("Where each environment came from", "", table(_HEADS, rows[-_ROWS:], right=_NUMBERS)),
            section(
                "The store's size",
                f"{bytes_(sizes[-1].total)} now. Upkeep looks once a day.",
                line([(size.time, float(size.total), bytes_(size.total)) for size in sizes]),
            ),
            section(
                "What is shared with whom",
                "Each package of the environments there are, as large as its files; the darker, the more share it.",
                treemap([_cell(package) for package in packages if package.size]) or "<p>None is there.</p>",
            ),
            section("Largest packages", "", _largest(packages)),
        ],
    )


def _begins(sessions: Sequence[Session]) -> dict[str, float]:
    """Return when each run began, by its name."""
    found: dict[str, float] = {}
    for session in sessions:
        found[session.run] = min(session.began, found.get(session.run, session.began))
    return found


def _named(session: Session, runs: Mapping[str, float]) -> str:
    return session.name if len(runs) == 1 else f"{session.name}, {_minute(runs[session.run])[5:]}"


def _minute(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))


def _bars(session: Session, start: float) -> Iterator[Bar]:
    """Yield what *session* did since the *start* of its run.

    Its requests are drawn one after the other, as it is not noted when each began.
    """
    at, ended = session.began - start, session.ended - start
    if session.made is not None and session.made.seconds:
        yield Bar("made", at, at + session.made.seconds, f"{session.made.origin}, {seconds_(session.made.seconds)}")
        at += session.made.seconds
    for install in session.installs:
        why = f": {install.reason}" if install.reason else ""
        kind = "installed" if is_hit(install) else "pip"
        yield Bar(kind, at, at + install.seconds, f"{install.source}, {seconds_(install.seconds)}{why}")
        at += install.seconds
    if ended > at:
        yield Bar("ran", at, ended, f"running, {seconds_(ended - at)}")


def _packages(store: Store) -> Iterator[_Package]:
    """Yield what the known environments have been made of."""
    sizes: dict[str, int] = {}
    users: dict[str, list[str]] = {}
    for known in find_known(store):
        for name in () if known.receipt is None else known.receipt.plans:
            plan = store.load(name, Plan.from_json)
            for package, size in () if plan is None else _distributions(plan):
                sizes[package] = max(size, sizes.get(package, 0))
                if known.prefix not in users.setdefault(package, []):
                    users[package].append(known.prefix)
    for package, size in sizes.items():
        yield _Package(package, size, tuple(users[package]))


def _distributions(plan: Plan) -> Iterator[tuple[str, int]]:
    """Yield each distribution of *plan* and the bytes of its linked files."""
    starts = [entry[4] for entry in plan.distributions]
    ends = [*starts[1:], len(plan.links.sizes)]
    for entry, start, end in zip(plan.distributions, starts, ends, strict=True):
        yield f"{entry[0]} {entry[1]}", sum(plan.links.sizes[start:end])


def _cell(package: _Package) -> Cell:
    count = len(package.environments)
    users = "\n".join(package.environments)
    title = f"{package.name}, {bytes_(package.size)}, in {count_of(count, 'environment')}:\n{users}"
    return Cell(package.name, float(package.size), count, title)


def _largest(packages: Sequence[_Package]) -> str:
    rows = [
        [package.name, bytes_(package.size), str(len(package.environments)), ", ".join(package.environments)]
        for package in packages[:_PACKAGES]
    ]
    return table(["package", "size", "environments", "which"], rows, right=[1, 2])
