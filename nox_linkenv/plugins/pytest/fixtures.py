"""The values of the fixtures."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.env.interpreter.discovery import MissingPythonError
from nox_linkenv.plugins.pytest.directory import remove_run
from nox_linkenv.plugins.pytest.environment import LinkedVenv, LinkedVenvFactory
from nox_linkenv.plugins.pytest.options import keeps, pythons
from nox_linkenv.plugins.pytest.session import Session
from nox_linkenv.plugins.pytest.spec import EnvironmentSpec, spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["end", "function_environments", "required_python", "session_environments"]

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
    session = _session(request.config)
    spec = spec_of(request)
    if spec.python is None and "linked_python" in request.fixturenames:
        spec = replace(spec, python=request.getfixturevalue("linked_python"))
    session.journal.begin(request.node)
    try:
        yield LinkedVenv(session, request.node.nodeid, spec)
    finally:
        session.finish(request.node.nodeid, keep=keeps(request.config) and session.journal.failed(request.node))


def session_environments(request: pytest.FixtureRequest) -> Iterator[LinkedVenvFactory]:
    """Yield the value of ``linked_venv_factory``."""
    session = _session(request.config)
    name = "session"
    try:
        yield LinkedVenvFactory(session, name, EnvironmentSpec())
    finally:
        session.finish(name, keep=keeps(request.config) and session.journal.failures > 0)


def required_python(request: pytest.FixtureRequest) -> str:
    """Return the value of ``linked_python``, or skip the test."""
    session = _session(request.config)
    wanted: str = getattr(request, "param", None) or next(
        iter(pythons(request.config)), "{}.{}".format(*sys.version_info)
    )
    try:
        session.python(wanted)
    except MissingPythonError as error:
        pytest.skip(str(error))
    return wanted


def _session(config: pytest.Config) -> Session:
    """Return the session of this process."""
    if _SESSION not in config.stash:
        config.stash[_SESSION] = Session(config)
    return config.stash[_SESSION]
