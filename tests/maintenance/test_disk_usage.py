"""What files take on the disk, as systems tell it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.maintenance.disk_usage import disk_bytes

if TYPE_CHECKING:
    from pathlib import Path


def test_blocks_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as stream:
        stream.truncate(1 << 30)
        stream.write(b"x")
    status = path.stat()
    assert disk_bytes(status) == status.st_blocks * 512 < 1 << 20


@pytest.mark.parametrize(("size", "taken"), [(0, 0), (1, 4096), (4096, 4096), (4097, 8192)])
def test_where_blocks_are_not_told_whole_clusters_are(size: int, taken: int) -> None:
    """As on Windows, whose results of ``stat`` have no ``st_blocks``."""
    assert disk_bytes(os.stat_result((0o100644, 1, 1, 1, 0, 0, size, 0, 0, 0))) == taken
