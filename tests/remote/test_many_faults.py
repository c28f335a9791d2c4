"""The remote store fails in eight ways, at another place each time; what comes of it is counted and published."""

from __future__ import annotations

import contextlib
import random
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.errors import LinkenvError
from nox_linkenv.maintenance.verify import verify
from nox_linkenv.remote.bucket import SILENCE
from nox_linkenv.store import Store
from tests.linking.modes.filesystems import mounted
from tests.remote.server import Fault, faulty
from tests.remote.test_faults import _by_another_key, _cut, _flipped
from tests.remote.tool import entries, fresh_process, outdated
from tests.support.capabilities import Capability, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.provision.tool import Session, Site
    from tests.support.reliability import Reliability

#: Runs of each fault with ``--thorough``, and without.
_RUNS: Final = 25
_FEW: Final = 3
_PAGE: Final = 4096  # of which a file in memory takes whole ones
_REQUESTS: Final = 4  # that a reader makes where nothing is wrong
_CHECK: Final = "import one.part1; assert one.part1.VALUE == 1"


@pytest.fixture
def runs(request: pytest.FixtureRequest) -> int:
    return _RUNS if request.config.getoption("--thorough") else _FEW


class _Tally:
    """Counts sessions with something wrong, each on an empty store of its own."""

    def __init__(self, what: str, reader: Callable[[str], Site]) -> None:
        self.what = what
        self.reader = reader
        self.runs = self.there = self.ended = 0
        self.longest = 0.0

    def run(self, *, name: str = "one", check: str = _CHECK, now: float | None = None, remote: str = "") -> Session:
        there = self.reader(f"reader-{self.runs}")
        there.settings = replace(there.settings, remote=remote or there.settings.remote)
        session = self.measured(there, name, check, now)
        shutil.rmtree(there.store)
        return session

    def measured(self, there: Site, name: str = "one", check: str = _CHECK, now: float | None = None) -> Session:
        place = there.place(f"new-{self.runs}")
        self.runs += 1
        began = time.monotonic()
        session = place.session([name], run=check, now=now)
        took = time.monotonic() - began
        self.longest = max(self.longest, took)
        self.there += not session.calls
        assert verify(Store.open(there.store), full=True, now=0.0).findings == []
        shutil.rmtree(place.prefix)
        return session

    def publish(self, note: Reliability, runs: int) -> None:
        assert self.runs == runs
        if runs == _RUNS:
            note(
                "remote",
                (self.what, runs, self.there, runs - self.there - self.ended, self.ended, f"{self.longest:.1f} s", 0),
            )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "spoil"),
    [
        ("an entry has a flipped bit", _flipped),
        ("an entry is cut off", _cut),
        ("an entry of a wrong key", _by_another_key),
    ],
    ids=["flipped", "cut", "key"],
)
def test_entries(
    what: str,
    spoil: Callable[[Path], None],
    filled: Site,
    reader: Callable[[str], Site],
    runs: int,
    reliability: Reliability,
) -> None:
    chance, tally = random.Random(13), _Tally(what, reader)
    for _ in range(runs):
        path = chance.choice(entries(filled))
        whole = path.read_bytes()
        if spoil is _flipped:
            at = chance.randrange(len(whole))
            path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :])
        elif spoil is _cut:
            path.write_bytes(whole[: chance.randrange(len(whole))])
        else:
            spoil(path)
        tally.run()
        path.write_bytes(whole)
    assert tally.there == 0, "what is not whole and signed is never used"
    tally.publish(reliability, runs)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.HANG, Fault.CUT], ids=lambda fault: fault.name.lower())
def test_servers(
    fault: Fault, filled: Site, reader: Callable[[str], Site], runs: int, reliability: Reliability
) -> None:
    chance, tally = random.Random(13), _Tally(f"the server: {fault.value}", reader)
    for _ in range(runs):
        with faulty(filled.root / "remote") as server:
            server.fault, server.healthy = fault, chance.randrange(_REQUESTS)
            tally.run(remote=server.url)
            assert server.requests
    assert tally.longest < 60 * SILENCE
    tally.publish(reliability, runs)


@pytest.mark.slow
def test_replays(writer: Site, reader_of: Callable[[str], Site], runs: int, reliability: Reliability) -> None:
    """Some entries are put back as they were before the index had a newer version."""
    chance, tally = random.Random(13), _Tally("entries of an earlier time are put back", reader_of)
    with outdated(writer) as (old, later):
        new = {path: path.read_bytes() for path in entries(writer)}
        for _ in range(runs):
            for path in chance.sample(sorted(old), chance.randint(1, len(old))):
                path.write_bytes(old[path])
            tally.run(name="moved", check="import moved; assert moved.VERSION == '2.0'", now=later)
            for path, content in new.items():
                path.write_bytes(content)
    tally.publish(reliability, runs)


@contextlib.contextmanager
def _small_disk(site: Site, room: int) -> Iterator[Site]:
    """Yield the site with its store on a filesystem of its own, which has *room* bytes left."""
    place = site.root / "small"
    pages = sum(-(-path.stat().st_size // _PAGE) for path in site.store.rglob("*") if path.is_file())
    with mounted(place, "-t", "tmpfs", "-o", f"size={pages * _PAGE + room}", "tmpfs"):
        shutil.copytree(site.store, place / "store")
        yield replace(site, settings=replace(site.settings, store=str(place / "store")))


@pytest.mark.slow
@pytest.mark.root
def test_full_disks(filled: Site, reader: Callable[[str], Site], runs: int, reliability: Reliability) -> None:
    """The disk of the store is full when some of an entry has come; that of the environments is not."""
    require(Capability.ROOT, Capability.MOUNT)
    chance, tally = random.Random(13), _Tally("the disk of the store is full", reader)
    said: list[str] = []
    for number in range(runs):
        whole = reader(f"reader-{number}")
        with _small_disk(whole, chance.randrange(_PAGE, 160 << 10)) as there:
            fresh_process()
            try:
                tally.measured(there)
            except (LinkenvError, OSError) as error:  # hosts say the latter with what to do
                said.append(str(error))
                tally.ended += 1
            assert verify(Store.open(there.store), full=True, now=0.0).findings == []
        shutil.rmtree(whole.store)
    assert [line for line in said if "No space left" not in line and "is full" not in line] == []
    tally.publish(reliability, runs)
