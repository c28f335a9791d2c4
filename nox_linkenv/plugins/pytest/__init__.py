"""The pytest plugin: the fixtures ``linked_venv``, ``linked_venv_factory`` and ``linked_python``.

pytest imports this module in every run, whether a test uses it or not.  So it holds the declarations only; everything
else is imported by the first test that asks for an environment.

PYTEST_DONT_REWRITE: there is no assertion in here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.plugins.pytest.options import RUN, base_directory, is_offline, keeps, new_run, pythons

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.plugins.pytest.environment import (
        CommandFailedError,
        LinkedEnvironment,
        LinkedVenv,
        LinkedVenvFactory,
    )

__all__ = ["CommandFailedError", "LinkedEnvironment", "LinkedVenv", "LinkedVenvFactory"]

_WORKER_INPUT = "linkenv_run"


def __getattr__(name: str) -> object:
    """Import the public classes when they are asked for."""
    if name in __all__:
        import importlib

        return getattr(importlib.import_module("nox_linkenv.plugins.pytest.environment"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options and the ini options."""
    group = parser.getgroup("linkenv", "linked environments (nox-linkenv)")
    group.addoption(
        "--linkenv-python",
        action="append",
        metavar="PYTHON",
        help="interpreter of the environments, such as 3.12 or a path; more than one: for linked_python",
    )
    group.addoption(
        "--linkenv-offline", action="store_true", help="install what is remembered, whatever its age, and ask nobody"
    )
    group.addoption(
        "--linkenv-keep", action="store_true", help="keep the environments of failed tests and say where they are"
    )
    group.addoption("--linkenv-report", action="store_true", help="say where the time of environments went")
    parser.addini("linkenv_python", "interpreters of the environments, as for --linkenv-python", type="args")
    parser.addini("linkenv_offline", "as --linkenv-offline", type="bool", default=False)
    parser.addini("linkenv_keep", "as --linkenv-keep", type="bool", default=False)
    parser.addini(
        "linkenv_directory", "where environments are made (default: in the system's temporary directory)", default=""
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and give the run a name which all its processes know."""
    config.addinivalue_line(
        "markers",
        "linked_venv(requirements=(), *, python=None, system_packages=False, extra_args=()): "
        "what linked_venv is made with and has installed in it",
    )
    given = getattr(config, "workerinput", {}).get(_WORKER_INPUT)
    config.stash[RUN] = given or new_run()
    if given is None and (config.getoption("linkenv_report") or keeps(config)):
        from nox_linkenv.plugins.pytest.reporting import Summary

        config.pluginmanager.register(Summary(config), "linkenv-summary")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what environments are made of unless a test says otherwise."""
    from nox_linkenv import __version__

    words = [f"linkenv: {__version__}", f"python {', '.join(pythons(config)) or 'as pytest runs on'}"]
    words += ["offline"] * is_offline(config) + ["keeping the environments of failed tests"] * keeps(config)
    lines = [", ".join(words)]
    if any(name.startswith("LINKENV_") for name in os.environ):
        from nox_linkenv.config import misspelt_variables

        lines += [f"linkenv: {line}" for line in misspelt_variables()]
    return lines


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses ``linked_python``, and has no values for it, with each of the chosen interpreters."""
    if "linked_python" in metafunc.fixturenames:
        for marker in metafunc.definition.iter_markers("parametrize"):
            names = marker.args[0] if marker.args else marker.kwargs["argnames"]
            if "linked_python" in (names.replace(" ", "").split(",") if isinstance(names, str) else names):
                return
        chosen = pythons(metafunc.config)
        if chosen:
            metafunc.parametrize("linked_python", chosen, indirect=True)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell a worker of pytest-xdist which run it belongs to."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    node.workerinput[_WORKER_INPUT] = config.stash[RUN]  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the run has made, also what killed workers have left."""
    run = config.stash.get(RUN, None)
    if run is None:
        return
    place = os.path.join(base_directory(config), run[0])
    if os.path.isdir(place):
        from nox_linkenv.plugins.pytest.fixtures import end

        end(config, place)


@pytest.fixture
def linked_venv(request: pytest.FixtureRequest) -> Iterator[LinkedVenv]:
    """An environment for this test alone, made when it is first used; calling it makes further ones."""
    from nox_linkenv.plugins.pytest.fixtures import function_environments

    yield from function_environments(request)


@pytest.fixture(scope="session")
def linked_venv_factory(request: pytest.FixtureRequest) -> Iterator[LinkedVenvFactory]:
    """Makes environments that live as long as the session; with pytest-xdist, as long as the worker."""
    from nox_linkenv.plugins.pytest.fixtures import session_environments

    yield from session_environments(request)


@pytest.fixture
def linked_python(request: pytest.FixtureRequest) -> str:
    """The interpreter of this test's environments, such as ``3.12``; the test is skipped where it is missing."""
    from nox_linkenv.plugins.pytest.fixtures import required_python

    return required_python(request)
