"""Does one operation again and again on copies of a tiny store, each time with a fault at another file operation.

``LD_PRELOAD=shim.so python -m tests.maintenance.trials OPERATION LOG`` reads from standard input what to try, and
writes what came of it to standard output, both as JSON.  Every trial is a forked process: all is imported once.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import os
import re
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from nox_linkenv.cli import main as linkenv
from nox_linkenv.config import Settings
from nox_linkenv.env import capture
from nox_linkenv.env.receipt import read_receipt
from nox_linkenv.maintenance.verify import verify
from nox_linkenv.store import Store
from tests.maintenance.apart import Ended, apart
from tests.maintenance.operations import OPERATIONS, nothing
from tests.maintenance.shim import BEGINS, ENDS, Fault, Shim
from tests.maintenance.tiny import RecordedPip, contents, copy_tree, differs, recorded_capture, session
from tests.provision.tool import Site

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterable

    from nox_linkenv.env.skeleton import Skeleton

#: What is copied; anything else below the site that a trial makes is removed.
_STAYS: Final = frozenset({"home", "wheels", "answers", "whole", "kept", "bare"})
_LEFT_OUT: Final = " entries are left out"
#: What a user is told: what happened, and where or what to do.
_TOLD: Final = re.compile(r"(?m)^linkenv: .{20,}")


class Trials:
    """Trials of one operation on the tiny *site*."""

    def __init__(self, site: Site, name: str, log: Path) -> None:
        self.site = site
        self.operation = OPERATIONS[name]
        self.shim = RecordedPip.shim = Shim()
        self.log = log
        self.kept = site.root / "kept"
        self.want: dict[str, object] = {}
        self.captured: Callable[..., Skeleton] | None = None

    def begin(self) -> None:
        """Learn what is right; bring about what stands there before, and keep it; learn what has to be imported."""
        site = self.site
        os.chdir(site.project)
        self._keep()
        self._well(lambda: session(site.place()))
        self.want = contents(Path(site.place().prefix))
        self._restore()
        self._well(lambda: self.operation.before(site))
        bare = self.kept.rename(site.root / "bare")
        self._keep()
        self.reset()
        self._well(self._work)
        self._well(lambda: self._check(killed=False, code=0, where="without a fault"))
        self.captured = recorded_capture(bare / site.base.relative_to(site.root))

    def _keep(self) -> None:
        """Make what stands there what is there before."""
        self.kept.mkdir()
        inodes: dict[int, Path] = {}
        for path in list(self.site.root.iterdir()):
            if path.name not in _STAYS:
                copy_tree(path, self.kept / path.name, inodes)

    def _work(self) -> None:
        assert self.operation.work(self.site) == 0

    def _well(self, work: Callable[[], object]) -> None:
        """Do *work*, which has to go well, in a forked process."""

        def well() -> int:
            work()
            return 0

        done = self._apart(well)
        assert done.code == 0, done.said

    def _apart(self, work: Callable[[], int]) -> Ended:
        """Do *work* in a forked process; what it had to import, later ones have."""
        before = set(sys.modules)
        done = apart(lambda: (work(), sorted(set(sys.modules) - before)))
        for module in done.value or ():
            with contextlib.suppress(ImportError):
                __import__(module)
        if done.value:
            gc.collect()
            gc.freeze()  # what is not looked at is not copied into each trial's process
        return done

    def reset(self) -> None:
        """Bring about what stands there before each trial."""
        self._restore()
        if self.operation.ready is not nothing:
            self._well(lambda: self.operation.ready(self.site))

    def _restore(self) -> None:
        for path in self.site.root.iterdir():
            if path.name not in _STAYS:
                shutil.rmtree(path)
        inodes: dict[int, Path] = {}
        for path in self.kept.iterdir():
            copy_tree(path, self.site.root / path.name, inodes)
        os.chdir(self.site.project)  # which is another one now

    def count(self) -> list[str]:
        """Do the operation without a fault; return its file operations, all of them, as name and path."""
        done = self._tried(Fault.EIO, 0)[1]
        assert any(re.search(self.operation.does, line) for line in done)
        return done

    def _tried(self, fault: Fault, number: int) -> tuple[Ended, list[str]]:
        """Do the operation with *fault* at the operation *number*; return how it ended, and what was struck."""
        self.reset()
        with open(self.log, "w+", encoding="utf-8", errors="replace") as stream:

            def work() -> int:
                self.shim.arm(self.site.root, fault.value, number, stream.fileno())
                os.access(BEGINS, os.F_OK)
                try:
                    return self.operation.work(self.site)
                finally:
                    os.access(ENDS, os.F_OK)
                    self.shim.disarm()

            done = self._apart(work)
            return done, stream.read().splitlines() or self._lines(stream)

    @staticmethod
    def _lines(stream: io.TextIOWrapper) -> list[str]:
        stream.seek(0)
        return stream.read().splitlines()

    def run(self, fault: Fault, numbers: Iterable[int]) -> tuple[int, list[str]]:
        """Try *fault* at the operations *numbers*, until there are no more; return how many, and what was wrong."""
        wrong: list[str] = []
        tried = 0
        for number in numbers:
            done, struck = self._tried(fault, number)
            if not struck:
                break
            tried += 1
            killed = done.code == -signal.SIGKILL
            where = f"{fault.name} at {number}, {struck[0]}: {done.code}\n{done.said}"
            checked = self._apart(lambda: self._check(killed=killed, code=done.code, where=where, said=done.said))  # noqa: B023
            if checked.code != 0:
                wrong.append(f"{where}\n--- then\n{checked.said}")
        return tried, wrong

    def _check(self, *, killed: bool, code: int, where: str, said: str = "") -> int:
        """See to it that what is left is right, or is made right by what comes next."""
        operation, place = self.operation, self.site.place()
        if self.captured is not None:
            mock.patch.object(capture, "capture", self.captured).start()
        if not killed and operation.told:
            assert code in (0, 1), where
            assert "Traceback" not in said, where
            assert code == 0 or len(_TOLD.findall(said)) == 1, where
        receipt = read_receipt(place.prefix)
        finished = operation.makes and ((not killed and code == 0) or (receipt is not None and bool(receipt.plans)))
        if operation.standing or finished:
            self._right()
        if operation.damaged:
            self._verify()
        after = operation.in_part if operation.in_part is not None and _LEFT_OUT in said else operation.after
        after(self.site)
        session(place)
        self._right()
        self._verify()
        return 0

    def _right(self) -> None:
        assert differs(Path(self.site.place().prefix), self.want) == []

    def _verify(self) -> None:
        """Have the store repaired where that is needed; it is well then."""
        if verify(Store.open(self.site.store), full=True, now=time.time()).findings:
            linkenv(["verify", "--full", "--repair"])
            assert linkenv(["verify", "--full"]) == 0


def main() -> None:
    """Try what standard input says."""
    name, log = sys.argv[1:]
    asked = json.load(sys.stdin)
    root, interpreter, store, environ = asked["site"]
    site = Site(Path(root), Path(interpreter), Settings(store=store, resolution_age=1e9), environ)
    os.environ.clear()
    os.environ.update(environ, LINKENV_STORE=store, LINKENV_RESOLUTION_AGE="1000000000")
    trials = Trials(site, name, Path(log))
    trials.begin()
    found: dict[str, Any] = {"operations": trials.count(), "tried": Counter(), "wrong": []}
    chosen = [at for at, line in enumerate(found["operations"], 1) if asked["at"] and re.search(asked["at"], line)]
    for name, step in asked["steps"].items():
        numbers = chosen or itertools.count(1 + asked["day"] % step, step)
        found["tried"][name], wrong = trials.run(Fault[name], numbers)
        found["wrong"] += wrong
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
