"""``linkenv warm``: what the sessions of a noxfile will ask for is had and stored before they run."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Final

from nox_linkenv.cli.matrix import Session, State, Warmed, list_sessions, warm
from nox_linkenv.config import load_settings
from nox_linkenv.env.assembly.link_source import open_store
from nox_linkenv.env.temporary import scratch
from nox_linkenv.maintenance.background import wait
from nox_linkenv.store.roots import find_roots, forget_root
from nox_linkenv.units import count_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from nox_linkenv.cli.output import Output
    from nox_linkenv.config import Settings
    from nox_linkenv.store import Store

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Have and store what the sessions of a noxfile install, several at a time: by nox --install-only, in environments "
    "that are gone afterwards. Answers of pip that are too old are renewed, wheels stored, bare environments captured."
)
EXAMPLES: Final = {
    "linkenv warm": "the sessions that nox runs by default",
    "linkenv warm -s tests lint -j 4": "two sessions, up to four at a time",
}
#: Seconds to wait for the background work of the sessions.
_PATIENCE: Final = 600.0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of sessions")
    return number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("-f", "--noxfile", metavar="FILE", default="noxfile.py", help="the noxfile (noxfile.py)")
    names = ("-s", "--session")
    parser.add_argument(
        *names, dest="sessions", metavar="NAME", nargs="+", action="extend", default=[], help="as of nox (its default)"
    )
    cores = os.cpu_count() or 1
    text = "how many at a time (as many as there are cores)"
    parser.add_argument("-j", "--jobs", metavar="N", type=_positive, default=cores, help=text)


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Warm them."""
    began = time.perf_counter()
    noxfile = os.path.abspath(arguments.noxfile)
    explicit = {"store": arguments.store} if arguments.store else {}
    settings = load_settings(directory=os.path.dirname(noxfile), explicit=explicit)
    store = open_store(settings)
    done: list[Warmed] = []
    with output.progress() as progress:
        progress("listing the sessions")
        sessions = list_sessions(noxfile, arguments.sessions)
        progress(f"0 of {len(sessions)} sessions")
        with closing(_warmed(sessions, noxfile, store, settings, arguments.jobs)) as results:
            for warmed in results:
                done.append(warmed)
                output.line(f"{warmed.session.name}: {_told(warmed)}")
                if warmed.state is State.FAILED:
                    output.warn(warmed.output.rstrip())
                progress(f"{len(done)} of {len(sessions)} sessions")
        progress("waiting for background work")
        _settle(store)
    seconds = time.perf_counter() - began
    output.data(
        {
            "store": store.layout.root,
            "sessions": [
                {
                    "session": warmed.session.name,
                    "state": warmed.state.value,
                    "messages": list(warmed.messages),
                    "seconds": round(warmed.seconds, 3),
                }
                for warmed in done
            ],
            "seconds": round(seconds, 3),
        }
    )
    counts = Counter(warmed.state for warmed in done)
    words = ", ".join(f"{counts[state]} {state.value}" for state in State if counts[state])
    output.line(f"{count_of(len(done), 'session')}: {words or 'nothing to do'} ({seconds:.1f} s)")
    return 1 if counts[State.FAILED] else 0


def _warmed(
    sessions: Sequence[Session], noxfile: str, store: Store, settings: Settings, jobs: int
) -> Generator[Warmed, None, None]:
    longest = max((len(session.name) for session in sessions), default=0)
    environ = {**os.environ, "LINKENV_STORE": settings.store_root}
    with scratch(store.layout, f"{len(sessions)}/{'x' * longest}") as directory:
        try:
            yield from warm(sessions, noxfile, directory, environ, jobs=jobs)
        finally:
            for root in list(find_roots(store)):
                if root.prefix.startswith(f"{directory}/"):
                    forget_root(store, root.prefix)


def _told(warmed: Warmed) -> str:
    if warmed.state is State.FAILED:
        return "failed; what nox said stands on standard error"
    if warmed.state is State.NOTHING:
        return "nothing was linked: it installs nothing, has another backend, or was skipped"
    return "; ".join(warmed.messages)


def _settle(store: Store) -> None:
    """Wait for what the sessions have left to the background."""
    try:
        wait(store, within=_PATIENCE)
    except OSError:  # no locks here: it is done all the same, a little later
        return
