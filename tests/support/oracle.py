"""What virtualenv and real pip made of a test's request: kept from one run of the suite to the next.

A test of parity asks twice: nox, tox or pip as they are (the oracle), then this package. The oracle's half is the
slower one and changes only with the things in :func:`_surroundings`. A kept answer can only let a test pass: a test
that fails with one is run again at once, without any, and that outcome is the one that counts.

``PARITY_ORACLES=off`` asks anew each time; ``PARITY_ORACLES=DIRECTORY`` keeps answers there instead of in the user's
cache directory. Answers of more than :data:`_DAYS` days are not used.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import sys
import tempfile
import time
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import platformdirs
import pytest
from _pytest.runner import runtestprotocol
from filelock import FileLock

from tests.support.environment import steady_base
from tests.support.interpreters import find_interpreters
from tests.support.shared import ROOT
from tests.support.sources import digest_of_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.shared import Host

__all__ = ["Oracle", "installed", "oracle", "steady_directory", "steady_path"]

_T = TypeVar("_T")
_VARIABLE: Final = "PARITY_ORACLES"
_DAYS: Final = 14
#: Raised whenever what is kept has another form.
_FORMAT: Final = 1


@dataclass(slots=True)
class Oracle:
    """The kept answers of one test.

    Attributes:
        test: its name.
        key: what else decides about them, but for their number.
        directory: where they are kept; ``None`` where nothing is.
        asked: how many there were so far.
        recalled: the files of those that were not made by this run.
        again: whether the test has failed with kept answers and is run without.
    """

    test: str
    key: tuple[str, ...]
    directory: Path | None
    asked: int = 0
    recalled: list[Path] = field(default_factory=list)
    again: bool = False

    def of(self, name: str) -> Oracle:
        """Return the kept answers of what several tests share under this *name*."""
        return Oracle(name, self.key, self.directory)

    def answer(self, make: Callable[[], _T], *key: str) -> _T:
        """Return what *make* returns, or what it returned for the same test in an earlier run.

        Args:
            make: asks virtualenv and pip; its result is pickled, and holds all that the test compares.
            key: what decides about the result beside the test's sources, interpreters and installed hosts.
        """
        if self.directory is None:
            return make()
        self.asked += 1
        text = "\0".join((self.test, *self.key, *key, str(self.asked)))
        path = self.directory / f"{hashlib.sha256(text.encode()).hexdigest()}.pickle"
        try:
            if path.stat().st_mtime > time.time() - _DAYS * 86_400:
                found: _T = pickle.loads(zlib.decompress(path.read_bytes()))
                self.recalled.append(path)
                return found
        except OSError:
            pass
        made = make()
        _write(path, zlib.compress(pickle.dumps(made), 1))
        return made

    def forget(self) -> None:
        """Remove what was recalled: the test is run again."""
        for path in self.recalled:
            path.unlink(missing_ok=True)
        self.recalled.clear()
        self.asked = 0
        self.again = True


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
        stream.write(content)
    os.rename(stream.name, path)


def _directory() -> Path | None:
    chosen = os.environ.get(_VARIABLE, "")
    if chosen == "off":
        return None
    return Path(chosen) if chosen else platformdirs.user_cache_path("nox-linkenv-tests") / "oracles"


@cache
def installed(host: Host) -> tuple[str, ...]:
    """Return what is installed beside *host*, for the key: an older nox or tox is not that which runs the tests."""
    return tuple(sorted(path.name for path in host.python.parents[1].glob("lib/python*/site-packages/*.dist-info")))


@cache
def _surroundings() -> tuple[str, ...]:
    """Return what decides about every oracle: interpreters, the host and virtualenv beside the tests, seeds of pip."""
    found = [f"format {_FORMAT}", sys.version]
    found += sorted(f"{item.metadata['Name']} {item.version}" for item in distributions())
    for path in find_interpreters().values():
        status = path.resolve().stat()
        found.append(f"{path} {path.resolve()} {status.st_size} {status.st_mtime_ns}")
    data = {platformdirs.user_cache_path("virtualenv"), platformdirs.user_data_path("virtualenv")}
    for place in sorted(path for base in data for path in base.glob("wheel/*/embed/*/*.json")):
        found.append(f"{place} {hashlib.sha256(place.read_bytes()).hexdigest()}")  # newer seeds than the bundled ones
    return tuple(found)


@contextmanager
def steady_directory(name: str) -> Iterator[Path]:
    """Make an empty directory which has the same path in each run from this checkout."""
    place = steady_base() / hashlib.sha256(f"{ROOT}\0{name}".encode()).hexdigest()[:12]
    place.parent.mkdir(exist_ok=True)
    with FileLock(f"{place}.lock"):  # two runs may want it at the same time
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        yield place
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def steady_path(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory like ``tmp_path``, but of the same path in each run: environments hold the path they are made at."""
    with steady_directory(request.node.nodeid) as place:
        yield place


class _Running:
    """The test that runs, as the fixture finds it."""

    oracle: Oracle | None = None


@pytest.fixture
def oracle() -> Oracle:
    """The kept answers of this test, which has to work in :func:`steady_path`."""
    assert _Running.oracle is not None
    return _Running.oracle


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test that uses kept answers; where it fails with some, run it again without."""
    if "oracle" not in getattr(item, "fixturenames", ()):
        return None
    key = (str(steady_base()), digest_of_sources(item.path), *_surroundings())
    found = _Running.oracle = Oracle(item.nodeid, key, _directory())
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    try:
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if found.recalled and any(report.failed for report in reports):
            found.forget()
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
    finally:
        _Running.oracle = None
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
