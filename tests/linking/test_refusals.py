"""Refusals of the real system: other mounts, other users' files, too many links."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from nox_linkenv.linking import link_files
from tests.linking.test_linking import check, make
from tests.store.tool import as_nobody, mount
from tests.support.capabilities import Capability

#: Links of one inode on ext4.
_LIMIT = 65_000


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
def test_another_filesystem(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with mount("-t", "tmpfs", "tmpfs", place):
        files = make(tmp_path / "store", place / "environment")
        report = files.link()
        assert (report.linked, report.copied.total(), report.damaged) == (0, 5, [])
        assert "different filesystems or mounts" in (report.explain() or "")
        check(files)


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
def test_bind_mount_of_the_same_filesystem(tmp_path: Path) -> None:
    """The device numbers are equal, and the system refuses all the same."""
    place, other = tmp_path / "place", tmp_path / "other"
    place.mkdir()
    other.mkdir()
    with mount("--bind", other, place):
        files = make(tmp_path / "store", place / "environment")
        assert os.stat(place).st_dev == os.stat(tmp_path / "store").st_dev
        report = files.link()
        assert (report.linked, report.copied.total()) == (0, 5)
        assert "different filesystems or mounts" in (report.explain() or "")
        check(files)


@pytest.mark.needs(Capability.ROOT)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_files_of_another_user() -> None:
    """With fs.protected_hardlinks nobody links what he does not own and may not write."""
    switch = Path("/proc/sys/fs/protected_hardlinks")
    if not switch.exists() or switch.read_text().strip() != "1":
        pytest.skip("fs.protected_hardlinks is off")
    with tempfile.TemporaryDirectory(prefix="linkenv-test-") as directory:
        place = Path(directory)
        place.chmod(0o755)
        files = make(place / "store", place / "environment")
        (place / "environment").chmod(0o777)

        def use() -> None:
            report = files.link()
            assert (report.linked, report.copied.total(), report.damaged) == (0, 5, [])
            assert "fs.protected_hardlinks" in (report.explain() or "")
            assert (report.explain() or "").endswith("linkenv doctor says which it is, and what to do.")
            check(files)

        files.link()  # imports what a copy needs: the user nobody may not be able to
        for target in files.targets:
            os.unlink(target)
        import shutil  # noqa: F401 - the same

        assert as_nobody(use) == ""


@pytest.mark.root
def test_more_links_than_the_filesystem_allows(tmp_path: Path) -> None:
    """The first file that is refused is copied, and so is every further one."""
    image, place = tmp_path / "image", tmp_path / "place"
    with image.open("wb") as stream:
        stream.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-N", "2000", image], check=True)
    place.mkdir()
    with mount("-o", "loop", image, place):
        files = make(place / "store", place / "environment")
        source, size, mtime = files.sources[0], files.sizes[0], files.mtimes[0]
        count = _LIMIT - 1
        for first in range(0, count, 5000):
            (place / str(first)).mkdir()
            many = range(first, min(first + 5000, count))
            targets = [f"{place}/{first}/{number}" for number in many]
            parts = len(targets)
            report = link_files([source] * parts, targets, [size] * parts, [mtime] * parts)
            assert (report.linked, report.copied.total()) == (parts, 0)
        assert os.stat(source).st_nlink == _LIMIT
        report = files.link()
        assert (report.linked, report.copied.total()) == (4, 1)
        assert "limit of links" in (report.explain() or "")
        check(files)
        assert os.stat(source).st_nlink == _LIMIT
