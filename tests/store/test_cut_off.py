"""A file that stands where no staging is, in an environment, a project or beside a store, is whole or not there."""

from __future__ import annotations

import contextlib
import os
import resource
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.projects.generated import write_again
from nox_linkenv.projects.watch import Watch
from nox_linkenv.store.files import write_new

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def _full() -> Iterator[None]:
    """Have files be opened, and nothing be written, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_new_file(tmp_path: Path) -> None:
    with _full(), pytest.raises(OSError, match="large"):
        write_new(str(tmp_path / "new"), b"text")
    assert os.listdir(tmp_path) == []
    (tmp_path / "new").write_bytes(b"other")
    with pytest.raises(FileExistsError):
        write_new(str(tmp_path / "new"), b"text")
    assert (tmp_path / "new").read_bytes() == b"other"


def test_what_watches_builds(tmp_path: Path) -> None:
    site_packages = tmp_path / "site-packages"
    site_packages.mkdir()
    watch = Watch([str(site_packages)], str(tmp_path), [], every=False)
    with _full(), pytest.raises(OSError, match="large"):
        watch.__enter__()
    assert os.listdir(site_packages) == []
    with watch:
        assert len(os.listdir(site_packages)) == 1
    assert os.listdir(site_packages) == []


def test_what_a_build_writes_into_the_project(tmp_path: Path) -> None:
    with _full():
        assert not write_again(str(tmp_path), (("_version.py", "1\n"),))
    assert os.listdir(tmp_path) == []
    assert write_again(str(tmp_path), (("_version.py", "1\n"),))
    assert (tmp_path / "_version.py").read_text() == "1\n"
