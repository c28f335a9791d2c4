"""What one process of a test run has in common: settings, directory, interpreters, times."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from nox_linkenv.config import Settings, load_settings
from nox_linkenv.env.assembly.link_source import open_store
from nox_linkenv.env.interpreter.discovery import find_interpreter
from nox_linkenv.errors import LinkenvError
from nox_linkenv.plugins.pytest.cloning import copy_differences, link_plans
from nox_linkenv.plugins.pytest.directory import RunDirectory
from nox_linkenv.plugins.pytest.donors import Pool
from nox_linkenv.plugins.pytest.options import base_directory, is_offline, pythons, run_of
from nox_linkenv.plugins.pytest.policy import FixturePolicy
from nox_linkenv.plugins.pytest.project import ProjectUnderTest
from nox_linkenv.provision.environment import Environment
from nox_linkenv.store.trash import empty_trash

if TYPE_CHECKING:
    import pytest

    from nox_linkenv.plugins.pytest.reporting import Journal
    from nox_linkenv.plugins.pytest.spec import EnvironmentSpec
    from nox_linkenv.resolve.request import Outcome
    from nox_linkenv.store import Store

__all__ = ["Session"]

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
        self._environments: dict[str, list[Environment]] = {}
        self._scheduled: set[tuple[object, ...]] = set()
        self._pythons: dict[str, str] = {}
        self._number = 0

    def clock(self) -> float:
        """Return when the run began: what was resolved then, or since, holds until its end."""
        return self.began

    def timed(self, what: str) -> contextlib.AbstractContextManager[None]:
        """Note the time that the block takes as spent with *what*."""
        return self.journal.timed(what)

    def python(self, spec: str | None) -> str:
        """Return the absolute path of an interpreter.

        Raises:
            MissingPythonError: there is none.
        """
        __tracebackhide__ = True
        if spec is None:
            spec = next(iter(pythons(self.config)), sys.executable)
        if spec not in self._pythons:
            self._pythons[spec] = find_interpreter(spec, self.store, age=self.settings.resolution_age)
        return self._pythons[spec]

    def make(self, name: str, spec: EnvironmentSpec) -> Environment:
        """Make an environment, without its requirements.

        Raises:
            MissingPythonError: there is no such interpreter.
            LinkenvError: the store or the directory cannot be written.
        """
        __tracebackhide__ = True
        interpreter = self.python(spec.python)
        parameters = ["--system-site-packages"] * spec.system_packages + list(spec.extra_args)
        self._number += 1
        environment = Environment(
            f"{self.directory.home}/{_UNFIT.sub('_', name.rpartition('::')[2])[:24].strip('_')}_{self._number}",
            self.settings,
            session=name,
            policy=FixturePolicy(self.pool, self.project),
            clock=self.clock,
        )
        self._environments.setdefault(name, []).append(environment)
        with self.timed("create"):
            environment.ensure(
                interpreter, parameters, lambda: _make_by_virtualenv(environment.prefix, interpreter, parameters)
            )
        return environment

    def make_alike(self, source: Environment, target: Environment) -> None:
        """Make *target*, a bare environment, as *source* is: what was installed, changed and left in it."""
        with self.timed("clone"):
            receipt = source.receipt
            if receipt is not None and target.receipt is not None:
                link_plans(target, receipt)
            copy_differences(source.prefix, target.prefix)
            if receipt is not None:
                target.finish_like(receipt)

    def finish(self, name: str, *, keep: bool) -> None:
        """Remove the environments made under *name*, or keep them."""
        for environment in self._environments.pop(name, []):
            if keep:
                self.directory.keep(environment.prefix)
                self.journal.kept.append(environment.prefix)
            elif os.path.lexists(environment.prefix):
                with self.timed("remove"):
                    with contextlib.suppress(LinkenvError, OSError):  # a test may have destroyed what is looked for
                        self._look_back(environment)
                    self.pool.put(environment.prefix, environment.receipt)

    def say_installed(self, outcome: Outcome) -> None:
        """Say what pip would have said, and what became of the request."""
        if outcome.installed:
            print("Successfully installed", *sorted(f"{name}-{version}" for name, version in outcome.installed))  # noqa: T201
        print(f"linked: {outcome.summary()}")  # noqa: T201
        for warning in outcome.warnings:
            print(warning, file=sys.stderr)  # noqa: T201
        self.journal.answers.append(outcome.message.partition(":")[0].partition(" of ")[0])

    def close(self) -> None:
        """Let go of the run's directory."""
        self.directory.close()

    def _look_back(self, environment: Environment) -> None:
        """See to what the test has changed in linked files, and at the first of a kind have bytecode compiled."""
        receipt = environment.receipt
        if receipt is None:
            return
        kind = (receipt.skeleton, receipt.plans)
        if kind in self._scheduled:
            return
        self._scheduled.add(kind)
        from nox_linkenv.maintenance.background import start
        from nox_linkenv.provision.session_end import close

        settings = replace(self.settings, spares=False)
        closing = close(self.store, environment.prefix, receipt, settings, os.environ, began=self.began)
        if closing.edited:
            self.journal.messages.append(
                f"{environment.session} edited {len(closing.edited)} installed files in place, such as"
                f" {closing.edited[0]}. {closing.reach}"
            )
        trash, closing.tasks.trash = closing.tasks.trash, []
        for path in trash:
            empty_trash(path)
        if closing.tasks:
            start(self.store, closing.tasks)


def _links_reach(store: Store, directory: str) -> bool:
    """Return whether files of the store can be linked into *directory*: tried, because nothing else tells."""
    probe = f"{directory}/probe"
    try:
        os.link(store.layout.description, probe)
    except OSError:
        return not os.access(store.layout.base, os.W_OK)
    os.unlink(probe)
    return True


def _make_by_virtualenv(prefix: str, interpreter: str, parameters: list[str]) -> None:
    from nox_linkenv.plugins.pytest.commands import run_command

    shutil.rmtree(prefix, ignore_errors=True)
    command = [sys.executable, "-m", "virtualenv", "--python", interpreter, *parameters, prefix]
    run_command(command, env=dict(os.environ), cwd=None, check=True, quiet=True)
