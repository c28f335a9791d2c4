"""``linkenv stats``: what the store has done for the sessions of the last weeks."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.cli.options import duration, opened, settings_of
from nox_linkenv.maintenance.disk_usage import Disk
from nox_linkenv.maintenance.store_size import sizes_by_kind
from nox_linkenv.provision.account import account, is_hit
from nox_linkenv.store.journal import Session, Size, clear, read
from nox_linkenv.store.store import writing
from nox_linkenv.units import bytes_, count_of, seconds_

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from nox_linkenv.cli.output import Output
    from nox_linkenv.provision.account import Account

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Show what was done for the sessions of nox, tox and linkenv: how requests were answered and why pip had to, for "
    "each project, the time it took, and how the store has grown. Time saved is that which pip ran for when it gave "
    "the same answer here, less what it took instead; where that was not measured, nothing is counted as saved."
)
EXAMPLES: Final = {
    "linkenv stats": "all that is known",
    "linkenv stats --since 7d --json": "the last week, for a program",
    "linkenv stats --reset": "forget it all and begin anew",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("--since", metavar="AGE", type=duration, help="only what is no older, such as 7d or 12h")
    parser.add_argument("--reset", action="store_true", help="forget what is known, and show nothing")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Show it, or forget it."""
    store = opened(settings_of(arguments))
    now = time.time()
    if arguments.reset:
        with writing(store.layout):
            clear(store.layout)
        output.data({"store": store.layout.root, "reset": True})
        output.line("What was known of sessions is forgotten.")
        return 0
    since = 0.0 if arguments.since is None else now - arguments.since
    entries = read(store.layout, since=since)
    sessions = [entry for entry in entries if isinstance(entry, Session)]
    sizes = [entry for entry in entries if isinstance(entry, Size)]
    with output.progress() as progress:
        progress("adding up the store")
        sizes.append(Size(now, sizes_by_kind(store, Disk())))
    data = {
        "store": store.layout.root,
        "since": min((session.began for session in sessions), default=None),
        "runs": len({session.run for session in sessions}),
        "total": _plain(account(sessions)),
        "origins": Counter(session.made.origin for session in sessions if session.made is not None),
        "answers": _answers(sessions),
        "reasons": _reasons(sessions),
        "projects": _by(sessions, lambda session: session.project),
        "hosts": _by(sessions, lambda session: session.host),
        "sizes": [{"time": size.time, "bytes": size.total} for size in sizes],
    }
    output.data(data)
    _show(data, output)
    return 0


def _plain(found: Account) -> dict[str, Any]:
    rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(found).items()}
    return {**rounded, "saved_seconds": round(found.saved_seconds, 4)}


def _by(sessions: Sequence[Session], key: Callable[[Session], str]) -> dict[str, dict[str, Any]]:
    """Return the account of each kind of *sessions*, the one with most of them first."""
    kinds: defaultdict[str, list[Session]] = defaultdict(list)
    for session in sessions:
        kinds[key(session)].append(session)
    return {name: _plain(account(kinds[name])) for name in sorted(kinds, key=lambda name: -len(kinds[name]))}


def _answers(sessions: Sequence[Session]) -> dict[str, dict[str, Any]]:
    """Return the number of requests, and their seconds, by the source of the answer."""
    found: dict[str, dict[str, Any]] = {}
    for session in sessions:
        for install in session.installs:
            entry = found.setdefault(install.source, {"requests": 0, "seconds": 0.0, "pip_seconds": 0.0})
            entry["requests"] += 1
            entry["seconds"] = round(entry["seconds"] + install.seconds, 4)
            entry["pip_seconds"] = round(entry["pip_seconds"] + (install.pip_seconds or 0.0), 4)
    return dict(sorted(found.items(), key=lambda item: -int(item[1]["requests"])))


def _reasons(sessions: Sequence[Session]) -> list[dict[str, Any]]:
    """Return why pip had to answer, and how often and how long for each reason, the one that took longest first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for session in sessions:
        for install in session.installs:
            if not is_hit(install):
                key = (install.source, install.reason or "")
                entry = found.setdefault(key, {"source": key[0], "reason": key[1], "requests": 0, "seconds": 0.0})
                entry["requests"] += 1
                entry["seconds"] = round(entry["seconds"] + install.seconds, 4)
    return sorted(found.values(), key=lambda entry: -float(entry["seconds"]))


def _show(data: dict[str, Any], output: Output) -> None:
    total = data["total"]
    if data["since"] is None:
        output.line("Nothing is known of sessions yet. The next one is noted when it ends.")
    else:
        _show_sessions(data, total, output)
    first, last = data["sizes"][0], data["sizes"][-1]
    grown = last["bytes"] - first["bytes"]
    change = f", {bytes_(abs(grown))} {'more' if grown >= 0 else 'less'} than on {_day(first['time'])}"
    output.line(f"The store takes {bytes_(last['bytes'])}{change if len(data['sizes']) > 1 else ''}.")


def _show_sessions(data: dict[str, Any], total: dict[str, Any], output: Output) -> None:
    output.line(
        f"Since {_day(data['since'])}: {count_of(total['sessions'], 'session')} in {count_of(data['runs'], 'run')} of"
        f" {count_of(len(data['projects']), 'project')}; {count_of(total['made'], 'environment')} made in"
        f" {seconds_(total['making'])} ({', '.join(f'{count} {name}' for name, count in data['origins'].items())})."
    )
    output.line(
        f"{count_of(total['requests'], 'request')} answered in {seconds_(total['installing'])}, {total['hits']} without"
        f" pip; {bytes_(total['linked'])} linked, {bytes_(total['copied'])} copied."
    )
    if total["compared"]:
        saved = total["saved_seconds"]
        output.line(
            f"Of {total['compared']} it is known how long pip ran when it gave the same answer:"
            f" {seconds_(total['pip_seconds'])}. They took {seconds_(total['instead_seconds'])}:"
            f" {seconds_(abs(saved))} {'saved' if saved >= 0 else 'lost'}."
        )
    output.line()
    output.table(
        ["answer", "requests", "seconds"],
        [[name, str(entry["requests"]), seconds_(entry["seconds"])] for name, entry in data["answers"].items()],
        right=[1, 2],
    )
    if data["reasons"]:
        output.line()
    output.table(
        ["why pip", "requests", "seconds"],
        [
            [f"{one['source']}: {one['reason']}", str(one["requests"]), seconds_(one["seconds"])]
            for one in data["reasons"]
        ],
        right=[1, 2],
    )
    output.line()
    output.table(
        ["project", "sessions", "made", "requests", "without pip", "seconds", "saved"],
        [
            [
                name,
                *(str(entry[key]) for key in ("sessions", "made", "requests", "hits")),
                seconds_(entry["making"] + entry["installing"]),
                seconds_(entry["saved_seconds"]) if entry["compared"] else "not known",
            ]
            for name, entry in data["projects"].items()
        ],
        right=[1, 2, 3, 4, 5, 6],
    )
    output.line()


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
