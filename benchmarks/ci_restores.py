"""What a job with a saved cache takes: the archive, uv's cache as its own command for CI leaves it, pip's cache."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .ci_matrix import PYTHONS, command_line, environment, noxfile
from .measure import seconds_of, worked

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PEERS", "Restore", "restore", "save"]

_PACKAGES: Final = ("pandas", "scipy", "scikit-learn:sklearn", "matplotlib")


@dataclass(frozen=True, slots=True)
class Peer:
    """A way to save and restore.

    Args:
        backend: of nox.
        saves: what is packed into a file, below the home; empty for an archive of ours.
    """

    name: str
    backend: str
    saves: str = ""
    prunes: bool = False


@dataclass(frozen=True, slots=True)
class Restore:
    """One job.

    Args:
        saved: bytes of the file that was restored.
        restored: seconds of restoring it.
        ran: seconds of nox.
        worked: seconds of processors for both, which other work on the machine lengthens less; 0 where not known.
    """

    peer: str
    saved: int
    restored: float
    ran: float
    worked: float = 0.0


PEERS: Final = (
    Peer("archive", "linked"),
    Peer("uv, pruned for CI", "uv", ".cache/uv", prunes=True),
    Peer("uv, whole cache", "uv", ".cache/uv"),
    Peer("pip", "virtualenv", ".cache/pip"),
)
#: Seconds for which an answer holds, where nothing is set.
_AGE: Final = 600
_NOX: Final = [sys.executable, "-m", "nox", "--error-on-missing-interpreters"]


def save(work: Path, peer: Peer) -> Path:
    """Run the job on an empty machine and return the file that it saves; one from before is taken as it is."""
    saved = work / f"{peer.name.replace(', ', '-').replace(' ', '-')}.saved"
    if saved.exists():
        return saved
    first = work / "first"
    shutil.rmtree(first, ignore_errors=True)
    noxfile(first, _PACKAGES, PYTHONS, peer.backend)
    environ = environment(first / "home", first / "store")
    seconds_of(_NOX, first, environ)
    if not peer.saves:
        seconds_of(command_line("export", str(saved)), first, environ)
        return saved
    if peer.prunes:
        seconds_of(["uv", "cache", "prune", "--ci"], first, environ)
    # As the action that caches directories on GitHub packs them: tar, and zstd with all processors.
    seconds_of(["tar", "-C", "home", "-I", "zstd -T0", "-cf", str(saved), peer.saves], first, environ)
    return saved


def restore(work: Path, peer: Peer) -> Restore:
    """Restore the file on an empty machine, and run the job."""
    saved, second = save(work, peer), work / "second"
    shutil.rmtree(work / "first", ignore_errors=True)
    shutil.rmtree(second, ignore_errors=True)
    noxfile(second, _PACKAGES, PYTHONS, peer.backend)
    environ = environment(second / "home", second / "store")
    if not peer.saves:  # the next job runs hours later: what was asked before it is too old, what it asks itself is not
        environ["LINKENV_RESOLUTION_AGE"] = str(min(max(int(time.time() - saved.stat().st_mtime), 1), _AGE))
    os.sync()
    before = worked()
    command = ["tar", "-C", "home", "-I", "zstd -T0", "-xf", str(saved)]
    restored, _ = seconds_of(command if peer.saves else command_line("import", str(saved)), second, environ)
    ran, said = seconds_of(_NOX, second, environ)
    taken = worked() - before
    if "asked pip" in said:
        raise RuntimeError(f"The answers of {saved} hold no more: remove it, so that it is made anew\n{said}")
    shutil.rmtree(second, ignore_errors=True)  # background work removes there, too
    return Restore(peer.name, saved.stat().st_size, restored, ran, taken)
