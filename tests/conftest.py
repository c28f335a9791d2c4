"""Fixtures of the whole suite, and the rule for what a machine cannot do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.capabilities import Capability, require, require_python
from tests.support.describing import describe_at_once
from tests.support.environment import clean_environment
from tests.support.interpreters import find_interpreters
from tests.support.seeds import seed
from tests.support.selection import is_heavy, unknown
from tests.support.shared import Host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = [
    "pytester",
    "tests.support.budget",
    "tests.support.oracle",
    "tests.support.reliability",
]  # the first for the tests of the pytest plugin
_IMPLIED = {"root": (Capability.ROOT, Capability.LOOP), "network": (Capability.NETWORK,)}


def pytest_configure() -> None:
    """Spare the suite's pips what they ask about the machine."""
    describe_at_once(os.environ)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a test whose marks ask for what is missing."""
    for mark in item.iter_markers("needs"):
        require(*mark.args)
    for name, capabilities in _IMPLIED.items():
        if item.get_closest_marker(name) is not None:
            require(*capabilities)


@pytest.fixture(scope="session")
def interpreters() -> dict[str, Path]:
    """Interpreters of this machine: version such as ``"3.12"`` to path, oldest first."""
    return find_interpreters()


@pytest.fixture(scope="session")
def shared_dir(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A directory that all workers of this run have in common."""
    base = tmp_path_factory.getbasetemp()
    place = (base if worker_id == "master" else base.parent) / "shared"
    place.mkdir(exist_ok=True)
    return place


@pytest.fixture(scope="session")
def newest() -> Host:
    """The nox, tox and pytest beside the tests."""
    return Host.newest()


@pytest.fixture(scope="session")
def own_seed(shared_dir: Path, newest: Host) -> Path:
    """A store, to be copied with ``sow``, that knows the interpreter which runs the tests."""
    return seed(shared_dir, newest)


@pytest.fixture(scope="session")
def template(shared_dir: Path, newest: Host) -> Callable[[str], Path]:
    """Return a function from a version to a store, to be copied, that holds the bare environment of its interpreter."""

    def made(version: str) -> Path:
        return seed(shared_dir, newest, str(require_python(version)))

    return made


@pytest.fixture
def store_dir(tmp_path: Path) -> Path:
    """A place for a store, which does not exist yet."""
    return tmp_path / "store"


@pytest.fixture
def clean_env(store_dir: Path) -> dict[str, str]:
    """Environment variables for child processes: no settings of the outer world, and the store at *store_dir*."""
    return clean_environment() | {"LINKENV_STORE": str(store_dir)}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark as slow what the heavy suite has."""
    # Another target has other cases.
    whole = "TARGET_PYTHON" not in os.environ and not any("[" in name for name in config.args)
    if whole and (renamed := unknown({item.nodeid for item in items})):
        raise pytest.UsageError(f"tests/heavy.txt names tests that are not there: {', '.join(renamed)}")
    for item in items:
        if is_heavy(item.nodeid):
            item.add_marker(pytest.mark.slow)
