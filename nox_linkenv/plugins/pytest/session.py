"""What one process of a test run has in common: settings, directory, interpreters, times."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.config import Settings, load_settings
from nox_linkenv.env.assembly.link_source import open_store
from nox_linkenv.env.interpreter.discovery import MissingPythonError, find_interpreter
from nox_linkenv.errors import EnvError, LinkenvError
from nox_linkenv.plugins.pytest import base_directory, is_offline, keeps, pythons, run_of
from nox_linkenv.plugins.pytest.directory import RunDirectory, remove_run
from nox_linkenv.plugins.pytest.environment import LinkedEnvironment, LinkedVenv, LinkedVenvFactory
from nox_linkenv.plugins.pytest.provision import FixtureProvision, Pool, ProjectUnderTest
from nox_linkenv.plugins.pytest.spec import EnvironmentSpec, spec_of
from nox_linkenv.store.trash import empty_trash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.plugins.pytest.reporting import Journal
    from nox_linkenv.resolve.request import Outcome
    from nox_linkenv.store import Store

__all__ = ["Session", "end", "function_environments", "required_python", "session_environments"]

_UNFIT: Final = re.compile(r"[^A-Za-z0-9_]+")


class Session:
    """Makes and removes the environments of one process.

    Raises:
        LinkenvError: the settings are wrong, or the store or the directory cannot be used.
    """

    def __init__(self, config: pytest.Config) -> None:
        from nox_linkenv.plugins.pytest.reporting import Journal

        self.config = config
        explicit = {"offline": True} if is_offline(config) else {}
        self.settings: Settings = load_settings(directory=str(config.rootpath), explicit=explicit)
        self.store = open_store(self.settings)
        run, self.began = run_of(config)
        worker: str = getattr(config, "workerinput", {}).get("workerid", "main")
        self.directory = RunDirectory(base_directory(config), run, worker)
        if not _links_reach(self.store, self.directory.home):
            self.directory.move(f"{self.store.layout.base}/tests")
        self.project = ProjectUnderTest(os.path.realpath(config.rootpath), self.directory.run)
        self.pool = Pool()
        self.journal: Journal = Journal()
        config.pluginmanager.register(self.journal, "linkenv-journal")
        self._places: dict[str, list[FixtureProvision]] = {}
        self._scheduled: set[tuple[object, ...]] = set()
        self._pythons: dict[str, str] = {}
        self._number = 0

    @classmethod
    def of(cls, config: pytest.Config) -> Session:
        """Return the session of this process."""
        if _SESSION not in config.stash:
            config.stash[_SESSION] = cls(config)
        return config.stash[_SESSION]

    def clock(self) -> float:
        """Return when the run began: what was resolved then, or since, holds until its end."""
        return self.began

    def timed(self, what: str) -> contextlib.AbstractContextManager[None]:
        """Note the time that the block takes as spent with *what*."""
        return self.journal.timed(what)

    def python(self, wanted: str | None) -> str:
        """Return the absolute path of an interpreter.

        Raises:
            MissingPythonError: there is none.
        """
        __tracebackhide__ = True
        if wanted is None:
            wanted = next(iter(pythons(self.config)), sys.executable)
        if wanted not in self._pythons:
            self._pythons[wanted] = find_interpreter(wanted, self.store, age=self.settings.resolution_age)
        return self._pythons[wanted]

    def make(self, name: str, wanted: EnvironmentSpec) -> FixtureProvision:
        """Make an environment, without its requirements.

        Raises:
            MissingPythonError: there is no such interpreter.
            LinkenvError: the store or the directory cannot be written.
        """
        __tracebackhide__ = True
        interpreter = self.python(wanted.python)
        parameters = ["--system-site-packages"] * wanted.system_packages + list(wanted.extra_args)
        self._number += 1
        place = FixtureProvision(
            f"{self.directory.home}/{_UNFIT.sub('_', name.rpartition('::')[2])[:24].strip('_')}_{self._number}",
            self.settings,
            session=name,
            clock=self.clock,
            pool=self.pool,
            project=self.project,
        )
        self._places.setdefault(name, []).append(place)
        with self.timed("create"):
            if not place.create(interpreter, parameters):
                _make_by_virtualenv(place, interpreter, parameters)
        return place

    def clone(self, source: FixtureProvision, name: str, wanted: EnvironmentSpec) -> LinkedEnvironment:
        """Make an environment that is as the one at *source* is."""
        from nox_linkenv.plugins.pytest.cloning import copy_differences

        environment = LinkedEnvironment(self, name, replace(wanted, requirements=()))
        place = environment._place
        with self.timed("clone"):
            receipt = source.receipt
            if receipt is not None and place.receipt is not None:
                place.furnish(receipt)
            copy_differences(source.prefix, place.prefix)
            if receipt is not None:
                place.finish_like(receipt)
        return environment

    def finish(self, name: str, *, keep: bool) -> None:
        """Remove the environments made under *name*, or keep them."""
        for place in self._places.pop(name, []):
            if keep:
                self.directory.keep(place.prefix)
                self.journal.kept.append(place.prefix)
            elif os.path.lexists(place.prefix):
                with self.timed("remove"):
                    with contextlib.suppress(LinkenvError, OSError):  # a test may have destroyed what is looked for
                        self._look_back(place)
                    self.pool.put(place.prefix, place.receipt)

    def say_installed(self, outcome: Outcome) -> None:
        """Say what pip would have said, and what became of the request."""
        if outcome.installed:
            print("Successfully installed", *sorted(f"{name}-{version}" for name, version in outcome.installed))  # noqa: T201
        print(f"linked: {outcome.message}")  # noqa: T201
        for warning in outcome.warnings:
            print(warning, file=sys.stderr)  # noqa: T201
        self.journal.answers.append(outcome.message.partition(":")[0].partition(" of ")[0])

    def close(self) -> None:
        """Let go of the run's directory."""
        self.directory.close()

    def _look_back(self, place: FixtureProvision) -> None:
        """See to what the test has changed in linked files, and at the first of a kind have bytecode compiled."""
        receipt = place.receipt
        if receipt is None:
            return
        kind = (receipt.skeleton, receipt.plans)
        if kind in self._scheduled:
            return
        self._scheduled.add(kind)
        from nox_linkenv.maintenance.background import start
        from nox_linkenv.provision.session_end import close

        settings = replace(self.settings, spares=False)
        closing = close(self.store, place.prefix, receipt, settings, os.environ, began=self.began)
        if closing.edited:
            self.journal.messages.append(
                f"{place.session} edited {len(closing.edited)} installed files in place, such as {closing.edited[0]}."
                " What it edited is out of the store and reaches no other environment."
            )
        trash, closing.tasks.trash = closing.tasks.trash, []
        for path in trash:
            empty_trash(path)
        if closing.tasks:
            start(self.store, closing.tasks)


_SESSION = pytest.StashKey[Session]()


def end(config: pytest.Config, run: str) -> None:
    """Remove what the *run* (path of its directory) has made; a worker, only what it has made itself."""
    session = config.stash.get(_SESSION, None)
    if session is not None:
        session.close()
    if not hasattr(config, "workerinput"):
        remove_run(run)


def function_environments(request: pytest.FixtureRequest) -> Iterator[LinkedVenv]:
    """Yield the value of ``linked_venv``."""
    session = Session.of(request.config)
    wanted = spec_of(request)
    if wanted.python is None and "linked_python" in request.fixturenames:
        wanted = replace(wanted, python=request.getfixturevalue("linked_python"))
    session.journal.begin(request.node)
    try:
        yield LinkedVenv(session, request.node.nodeid, wanted)
    finally:
        session.finish(request.node.nodeid, keep=keeps(request.config) and session.journal.failed(request.node))


def session_environments(request: pytest.FixtureRequest) -> Iterator[LinkedVenvFactory]:
    """Yield the value of ``linked_venv_factory``."""
    session = Session.of(request.config)
    name = "session"
    try:
        yield LinkedVenvFactory(session, name, EnvironmentSpec())
    finally:
        session.finish(name, keep=keeps(request.config) and session.journal.failures > 0)


def required_python(request: pytest.FixtureRequest) -> str:
    """Return the value of ``linked_python``, or skip the test."""
    session = Session.of(request.config)
    wanted: str = getattr(request, "param", None) or next(
        iter(pythons(request.config)), "{}.{}".format(*sys.version_info)
    )
    try:
        session.python(wanted)
    except MissingPythonError as error:
        pytest.skip(str(error))
    return wanted


def _links_reach(store: Store, directory: str) -> bool:
    """Return whether files of the store can be linked into *directory*: tried, because nothing else tells."""
    probe = f"{directory}/probe"
    try:
        os.link(store.layout.description, probe)
    except OSError:
        return not os.access(store.layout.base, os.W_OK)
    os.unlink(probe)
    return True


def _make_by_virtualenv(place: FixtureProvision, interpreter: str, parameters: list[str]) -> None:
    from nox_linkenv.plugins.pytest.commands import run_command

    shutil.rmtree(place.prefix, ignore_errors=True)
    command = [sys.executable, "-m", "virtualenv", "--python", interpreter, *parameters, place.prefix]
    run_command(command, env=dict(os.environ), cwd=None, check=True, quiet=True)
    with contextlib.suppress(EnvError):  # no pip in it: whatever is asked of it, the user gets python's own answer
        place.adopt(interpreter)
