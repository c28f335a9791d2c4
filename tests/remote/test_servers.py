"""The same over servers as they are met: two machines that share nothing but one of these."""

from __future__ import annotations

import shutil
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.errors import RemoteError
from nox_linkenv.remote.writing import prune
from tests.projects.tool import git, make_value_project
from tests.remote.services import SERVICES, Service
from tests.remote.tool import bucket_of, pushed
from tests.support.capabilities import Capability, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.provision.tool import Site


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A server of this test's own, which the variables of this process lead to."""
    with SERVICES[request.param]() as running:
        for name, value in running.variables.items():
            monkeypatch.setenv(name, value)
        yield running


def _sdist(directory: Path, name: str) -> Path:
    project = make_value_project(directory / f"{name}-1.0", name)
    (project / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    archive = directory / f"{name}-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as writer:
        writer.add(project, project.name)
    shutil.rmtree(project)
    return archive


def _commit(directory: Path, name: str) -> str:
    """Return a requirement on a commit of a new repository."""
    require(Capability.GIT)
    project = make_value_project(directory / f"{name}-repository", name)
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "first")
    head = (project / ".git/refs/heads/main").read_text().strip()
    return f"{name} @ git+{project.as_uri()}@{head}"


def test_what_one_machine_has_the_other_one_has_without_pip_and_without_a_build(
    service: Service, writer: Site, reader_of: Callable[[str], Site], hooks: list[str]
) -> None:
    """A wheel, a local project, one in editable form, an sdist, and a commit."""
    for name in ("local", "editable"):
        make_value_project(writer.project / name, name)
    asked = {
        "local": ["./local"],
        "editable": ["-e", "./editable"],
        "source": [str(_sdist(writer.root, "source"))],
        "commit": [_commit(writer.root, "commit")],
    }
    plain = replace(writer.settings, remote="")
    built = 0
    for arguments in asked.values():
        session = writer.place().session(arguments, settings=plain)
        built += len(hooks) + session.calls.count("fetch")
        hooks.clear()
    assert built >= len(asked)
    writer.settings = replace(writer.settings, remote=service.url)
    first = pushed(writer)
    assert first.counts["wheels"] == 1 + len(asked)
    again = pushed(writer)
    assert (again.counts.total(), again.there) == (0, first.counts.total())
    there = reader_of("other")
    for name, arguments in ({"one": ["one"]} | asked).items():
        session = there.place("new").session(arguments, run=f"import {name}")
        assert (name, session.calls, session.warnings) == (name, [], [])
    assert hooks == []


def test_entries_are_listed_and_removed(service: Service, writer: Site) -> None:
    writer.settings = replace(writer.settings, remote=service.url)
    written = pushed(writer).counts.total()
    bucket = bucket_of(writer)
    if not service.lists:
        with pytest.raises(RemoteError, match="cannot be listed"):
            list(bucket.entries())
        return
    names = [entry.name for entry in bucket.entries()]
    assert len(names) == written
    assert prune(bucket, 3600.0)[0] == 0
    bucket.delete(names[0])
    assert bucket.find(names[0]) is None
    assert prune(bucket, -3600.0)[0] == written - 1
    assert list(bucket.entries()) == []
