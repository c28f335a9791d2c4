"""The project's own sessions: ``nox -s checks`` and ``nox -s tests`` are what a change has to pass."""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["checks", "tests"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]
#: The big package sets run on this version only.
FULL = "3.12"


def install_project(session: nox.Session, *groups: str) -> None:
    """Install the project in editable mode with every extra and the named dependency groups."""
    session.install("-e", ".[tox,pytest]", *nox.project.dependency_groups(PYPROJECT, *groups))


@nox.session
def checks(session: nox.Session) -> None:
    """Run every static check."""
    install_project(session, "dev")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    for platform in ("darwin", "win32"):  # what only runs there is at least looked at
        session.run("mypy", "--platform", platform, "nox_linkenv")
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site of the documentation into ``_site``; a warning fails it."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "docs"))
    session.run("sphinx-build", "-q", "-W", "--keep-going", "-c", "docs", ".", "_site")
    session.log("The first page is _site/index.html.")


@nox.session
def links(session: nox.Session) -> None:
    """Ask every server that the documentation links to whether the page is there; this needs the network."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "docs"))
    session.run("sphinx-build", "-q", "-b", "linkcheck", "-c", "docs", ".", "_site/links")


@nox.session(python=PYTHONS, venv_backend="linked")
def tests(session: nox.Session) -> None:
    """Run the tests in a linked environment; arguments after ``--`` go to pytest."""
    install_project(session, "test")
    selection = () if session.python == FULL else ("-m", "not slow")
    session.run("pytest", *(session.posargs or ("-n", "2", "--dist", "worksteal", *selection)))


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure branch coverage, with that of child processes, and fail under the limit in pyproject.toml."""
    install_project(session, "test")
    session.run("coverage", "erase")
    session.run(
        "coverage", "run", "-m", "pytest", *(session.posargs or ("-n", "2", "--dist", "worksteal", "-m", "not slow"))
    )
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")
