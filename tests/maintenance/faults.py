"""Faults at the calls of an operation on a store: it is killed there, or the system refuses; then what is left."""

from __future__ import annotations

import enum
import itertools
import math
import os
import re
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import nox_linkenv
from nox_linkenv.env.receipt import read_receipt
from tests.cli.tool import linkenv
from tests.maintenance.tool import no_hang
from tests.provision.tool import tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.provision.tool import Site

__all__ = ["Call", "Fault", "Ground", "Operation", "contents"]

#: The calls by which files are made, changed and removed.
_CALLS: Final = (
    "openat,write,pwrite64,copy_file_range,sendfile,ftruncate,link,linkat,symlink,symlinkat,rename,renameat,renameat2,"
    "unlink,unlinkat,mkdir,mkdirat,rmdir,chmod,fchmod,fchmodat,utimensat,fsync,fdatasync"
)
#: With what descriptors are, and paths that are not cut off.
_STRACE: Final = ("strace", "-f", "--seccomp-bpf", "-qq", "-yy", "-s", "500")
#: Where a process is says nothing of the file.
_AT: Final = re.compile(r"AT_FDCWD<[^>]*>, ")
#: Seconds after which an operation hangs, on a machine that is busy and with every call looked at.
_LONG: Final = 600
#: What a user is told: what happened, and where or what to do.
_TOLD: Final = re.compile(r"(?m)^linkenv: .{20,}")


class Fault(enum.Enum):
    """What becomes of a call, as strace has it; with ``+``, of all that come after it, too."""

    KILL = "signal=KILL"
    EIO = "error=EIO"
    ENOSPC = "error=ENOSPC"
    FULL_FROM_THERE = "error=ENOSPC+"
    EROFS = "error=EROFS"
    EDQUOT = "error=EDQUOT"
    EMFILE = "error=EMFILE"
    ENAMETOOLONG = "error=ENAMETOOLONG"

    def at(self, call: Call) -> str:
        """Return the expression for that call."""
        on = "+" if self.value.endswith("+") else ""
        return f"inject={call.name}:{self.value.removesuffix('+')}:when={call.number}{on}"


class Call(NamedTuple):
    """A call of the system.

    Args:
        number: the how manieth of that name in its process.
        reads: whether it opens a file that is there.
        path: of the file, relative to the site.
    """

    name: str
    number: int
    reads: bool = False
    path: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """What is done to a store.

    Attributes:
        command: program and arguments.
        environ: variables.
        standing: whether the environment is right before it, and stays so all the time.
        makes: whether the environment is right after it, if it says that it has succeeded.
        told: whether a user sees what it says.
        stdin: what it reads.
    """

    command: tuple[str, ...]
    environ: Mapping[str, str]
    standing: bool = False
    makes: bool = False
    told: bool = True
    stdin: bytes = b""


@dataclass(frozen=True, slots=True)
class Ground:
    """A store and an environment as they stand before an operation.

    Attributes:
        kept: a copy of both.
        want: what the environment holds when all is well.
    """

    site: Site
    operation: Operation
    kept: Path
    want: dict[str, tuple[object, ...]]

    @property
    def prefix(self) -> Path:
        return Path(self.site.place().prefix)

    def keep(self) -> None:
        """Make what stands there now what is there before every operation."""
        if self.site.store.exists():
            linkenv(self.site, "wait")
        self.kept.mkdir()
        for name, place in self._parts():
            if place.exists():
                subprocess.run(["cp", "-a", place, self.kept / name], check=True)

    def restore(self) -> None:
        if self.site.store.exists():
            linkenv(self.site, "wait", code=None)
        for name, place in self._parts():
            if place.exists():
                shutil.rmtree(place)
            if (self.kept / name).exists():
                subprocess.run(["cp", "-a", self.kept / name, place], check=True)

    def _parts(self) -> Iterator[tuple[str, Path]]:
        yield "store", self.site.store
        yield "envs", self.prefix.parent

    def calls(self) -> list[Call]:
        """Return the calls that concern the store or the environment, those first that are each of another kind."""
        self.restore()
        done, text = self._under(_CALLS)
        assert done.returncode == 0, done.stderr
        count: Counter[tuple[str, str]] = Counter()
        kinds: dict[tuple[str, ...], dict[Call, None]] = {}
        for process, name, rest in re.findall(r"^(\d+) +(\w+)\((.*)", text, re.MULTILINE):
            count[process, name] += 1
            found = re.search(re.escape(str(self.site.root)) + r"/([^\s\"<>]+)", rest)
            if found is not None:
                reads = name == "openat" and "O_CREAT" not in rest
                where = tuple(re.sub(r"[0-9a-f]{2,}", "#", part) for part in found[1].split("/")[:4])
                kinds.setdefault((name, str(reads), *where), {})[Call(name, count[process, name], reads, found[1])] = (
                    None
                )
        return _one_of_each([_spread(list(calls)) for calls in kinds.values()])

    def try_at(self, calls: Sequence[Call], faults: Sequence[Fault], *, start: int, within: float) -> Counter[str]:
        """Do the operation with each of *faults* at *calls* from *start* on, as many as come *within* seconds.

        Killed at a call that only reads, a process leaves what it leaves at the call before, so that is not tried.

        Returns:
            how many were tried, by fault; and how many were refused to the first process for the store or environment.
        """
        until = time.monotonic() + within
        tried: Counter[str] = Counter()
        for number in range(start, start + len(calls) * len(faults)):
            call, fault = calls[number % len(calls)], faults[(number + number // len(calls)) % len(faults)]
            if time.monotonic() > until:
                break
            if not (call.reads and fault is Fault.KILL):
                _, ours = self.fail_at(call, fault)
                tried[fault.name] += 1
                tried["OURS"] += ours
        return tried

    def fail_at(self, call: Call, fault: Fault) -> tuple[subprocess.CompletedProcess[str], bool]:
        """Do the operation with *fault* at one of its calls; what is left must be right, or be made right.

        Returns:
            how it ended; and whether what was refused to its first process was of the store or the environment.
        """
        self.restore()
        operation, place = self.operation, self.site.place()
        done, trace = self._under(call.name, "-e", fault.at(call))
        process = trace.partition(" ")[0]
        injected = [line for line in trace.splitlines() if "(INJECTED)" in line and line.startswith(f"{process} ")]
        ours = bool(injected) and all(str(self.site.root) in line for line in injected)
        where = f"{fault.name} at {call}: {done.returncode}\n{done.stdout}{done.stderr}\n" + "\n".join(injected[:5])
        if operation.told and ours:
            assert done.returncode in (0, 1), where
            assert not _own_traceback(done.stderr), where
            assert done.returncode == 0 or _TOLD.search(done.stderr), where
        receipt = read_receipt(place.prefix)
        finished = operation.makes and (done.returncode == 0 or (receipt is not None and bool(receipt.plans)))
        if operation.standing or finished:
            self._right(where)
        with no_hang(_LONG):
            place.session(["tiny"])
        self._right(where)
        self._verify(where)
        return done, ours

    def _right(self, where: str) -> None:
        """Fail if the environment is not what it has to be."""
        found = contents(self.prefix)
        wrong = [name for name in {**found, **self.want} if found.get(name) != self.want.get(name)]
        assert wrong == [], where

    def _verify(self, where: str) -> None:
        if linkenv(self.site, "verify", "--full", "--repair", code=None).returncode != 0:
            well = linkenv(self.site, "verify", "--full", code=None)
            assert well.returncode == 0, where + well.stdout

    def _under(self, names: str, *options: str) -> tuple[subprocess.CompletedProcess[str], str]:
        """Do the operation with the calls *names* looked at; return how it ended, and the calls as lines."""
        operation, trace = self.operation, self.site.root / "trace"
        done = subprocess.run(
            [
                "strace",
                "-f",
                "-qq",
                "-s",
                "500",
                "-yy",
                "-o",
                trace,
                "-e",
                f"trace=execve,{names}",
                *options,
                *operation.command,
            ],
            cwd=self.site.project,
            env=dict(operation.environ),
            input=operation.stdin,
            capture_output=True,
            check=False,
            timeout=_LONG,
        )
        out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        lines = _AT.sub("", trace.read_text(errors="replace"))
        return subprocess.CompletedProcess(done.args, done.returncode, out, err), lines


def _own_traceback(text: str) -> bool:
    """Return whether a traceback has a line of this project; pip and its children may end with theirs."""
    package = os.path.dirname(nox_linkenv.__file__)
    return any(package in block for block in text.split("Traceback (most recent")[1:])


def _spread(calls: Sequence[Call]) -> list[Call]:
    """Return *calls* in an order in which the first few of them are far from each other."""
    step = max(1, round(len(calls) * 0.618))
    while math.gcd(step, len(calls)) > 1:
        step += 1
    return [calls[number * step % len(calls)] for number in range(len(calls))]


def _one_of_each(kinds: Sequence[Sequence[Call]]) -> list[Call]:
    """Return the calls of all *kinds*, each once: the first of each kind, then the second ones, and so on."""
    rows = itertools.zip_longest(*kinds)
    return list(dict.fromkeys(call for row in rows for call in row if call is not None))


def contents(prefix: Path) -> dict[str, tuple[object, ...]]:
    """Return what stands in the environment, but for what may differ.

    That are inodes, which copies have others of, and dates, which where the store cannot be written are virtualenv's;
    bytecode; and the order of rows of a RECORD: that of pip is written by virtualenv in the order of a set.
    """
    found: dict[str, tuple[object, ...]] = {}
    for name, entry in tree(prefix).items():
        if "__pycache__" not in name.split("/"):
            content = entry[-1]
            if isinstance(content, bytes) and name.endswith(".dist-info/RECORD"):
                content = sorted(content.splitlines())
            found[name] = (*entry[:2], content) if entry[0] == "file" else entry
    return found
