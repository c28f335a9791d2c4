"""What is measured: scenarios, peers, states of the disk, and measures. Pure data."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

GROW_COUNTS = (10, 50, 200, 400)
SESSION = "bench"
FORERUNNER = "forerunner"  # the session before it, where there is one
FORERUNNER_PYTHON = "3.11"


class State(enum.Enum):
    """What stands on the disk before the session; all of it is prepared outside the timing."""

    # In the order in which a round takes them: recycled finds the environment that fresh has left.
    FRESH = "fresh"  # everything warm, no old environment
    RECYCLED = "recycled"  # everything warm, the environment of the last session stands there
    OLD = "old"  # as fresh, but the resolution is older than its age
    LATER = "later"  # as old, and a session of another Python has just installed the same in the same run of nox
    COLD = "cold"  # an empty store; the download caches of pip and uv are warm


class Measure(enum.Enum):
    """What the session does."""

    EMPTY = "empty"  # nothing: the base line for the peak memory
    INSTALL = "install"
    IMPORT = "install and import"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One set of distributions: the arguments of ``session.install`` and the modules to import."""

    name: str
    arguments: tuple[str, ...]
    imports: tuple[str, ...]
    distributions: int | None = None  # known beforehand for generated wheels only

    @property
    def grows(self) -> bool:
        return self.distributions is not None


@dataclass(frozen=True, slots=True)
class Peer:
    """One way for nox to make an environment.

    ``has_cold`` is true where emptying the peer's own store leaves it a warm download cache to start from. virtualenv
    keeps no more than pip's cache and uv's cache is its download cache, so their cold state is their fresh state.
    """

    name: str
    backend: str
    has_cold: bool
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def linked(self) -> bool:
        """Whether it is this project."""
        return self.backend == LINKED.backend

    def effective(self, state: State) -> State:
        """The state in which this peer is run for ``state``."""
        if (state is State.COLD and not self.has_cold) or (state is State.OLD and not self.linked):
            return State.FRESH  # uv asks the index each time, virtualenv's pip too
        return state


LINKED = Peer("linked", "linked", True)
#: The same without trees made ahead in the background: every file is linked by the session.
UNSPARED = Peer("linked-unspared", "linked", True, (("LINKENV_SPARES", "0"),))
VIRTUALENV = Peer("virtualenv", "virtualenv", False)
UV = Peer("uv", "uv", False)
UV_OFFLINE = Peer("uv-offline", "uv", False, (("UV_OFFLINE", "1"),))
PEERS = (LINKED, UNSPARED, UV, UV_OFFLINE, VIRTUALENV)

SCI = Scenario("sci", ("pandas", "scipy", "scikit-learn", "matplotlib"), ("pandas", "scipy", "sklearn", "matplotlib"))
JL = Scenario("jl", ("jupyterlab",), ("jupyterlab",))
WEB = Scenario(
    "web",
    ("django", "pytest", "requests", "flask", "sqlalchemy"),
    ("django", "pytest", "requests", "flask", "sqlalchemy"),
)


def grow_scenario(count: int, find_links: Path) -> Scenario:
    """``count`` generated distributions from a directory, no index: the number is exact."""
    names = tuple(f"growpkg{number:03d}" for number in range(count))
    arguments = ("--no-index", "--find-links", str(find_links), *names)
    return Scenario(f"grow-{count}", arguments, names, distributions=count)


def noxfile_text(
    scenario: Scenario, backend: str, measure: Measure, python: str, peak_file: Path, *, queue: bool = False
) -> str:
    """A noxfile with one session, as a user would write it; with *queue* another Python's session comes first.

    The peak memory is read in the nox process as it ends: ``ru_maxrss`` of a child also counts the process that forked
    it, ``VmHWM`` (proc(5)) is the same counter for this program alone.
    """
    body = []
    if measure is not Measure.EMPTY:
        body.append(f"session.install({', '.join(map(repr, scenario.arguments))})")
    if measure is Measure.IMPORT:
        body.append(f"session.run('python', '-c', {'import ' + ', '.join(scenario.imports)!r})")
    lines = "\n    ".join(body or ["pass"])
    forerunner = (
        f"""@nox.session(python={FORERUNNER_PYTHON!r}, venv_backend={backend!r})
def {FORERUNNER}(session: nox.Session) -> None:
    {lines}


"""
        if queue
        else ""
    )
    return f"""\
import atexit

import nox


def peak() -> None:
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            kib = int(status.read().split("VmHWM:")[1].split()[0])
    except (OSError, IndexError):
        import resource, sys

        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    with open({str(peak_file)!r}, "w", encoding="ascii") as out:
        out.write(str(kib))


atexit.register(peak)


{forerunner}@nox.session(python={python!r}, venv_backend={backend!r})
def {SESSION}(session: nox.Session) -> None:
    {lines}
"""
