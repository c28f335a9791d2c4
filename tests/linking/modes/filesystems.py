"""Real filesystems to run on: made in image files, mounted for as long as a test lasts, and always unmounted."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nox_linkenv.linking import LinkMode
from tests.support.capabilities import Capability, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["FILESYSTEMS", "Filesystem", "Ground", "mounted"]


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a test stands: a directory for the store and one for the environments."""

    stores: Path
    environments: Path


@dataclass(frozen=True, slots=True)
class Filesystem:
    """One kind of ground.

    Args:
        automatic: what ``auto`` comes to there.
        clones: whether files can be cloned from the store to the environments.
        hardlinks: whether a store there, or a companion, can be hard-linked from.
        parameters: of virtualenv.
        companion: whether a companion store has to be used for links.
        modes: whether it keeps files' modes.
    """

    name: str
    needs: tuple[Capability, ...]
    make: Callable[[Path], contextlib.AbstractContextManager[Ground]]
    automatic: LinkMode = LinkMode.HARDLINK
    clones: bool = False
    hardlinks: bool = True
    symlinks: bool = True
    parameters: tuple[str, ...] = ()
    companion: bool = False
    modes: bool = True

    def works(self, mode: LinkMode) -> bool:
        """Return whether files are made by *mode* there, not copied instead."""
        works = {LinkMode.CLONE: self.clones, LinkMode.HARDLINK: self.hardlinks, LinkMode.SYMLINK: self.symlinks}
        return works.get(mode, True)

    @contextlib.contextmanager
    def ground(self, root: Path) -> Iterator[Ground]:
        """Mount it below *root*."""
        require(*self.needs)
        with self.make(root) as ground:
            ground.stores.mkdir(exist_ok=True)
            ground.environments.mkdir(exist_ok=True)
            yield ground


@contextlib.contextmanager
def mounted(place: Path, *options: str | Path) -> Iterator[Path]:
    """Mount with *options* at *place*, which is made; unmount whatever happens, lazily if something still uses it."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *options, str(place)], check=True)
    try:
        yield place
    finally:
        for _ in range(50):
            done = subprocess.run(["umount", str(place)], check=False, capture_output=True)
            if done.returncode == 0:
                break
            time.sleep(0.1)
        else:
            subprocess.run(["umount", "-l", str(place)], check=False)


def _image(megabytes: int, *mkfs: str, kind: str = "") -> Callable[[Path], contextlib.AbstractContextManager[Ground]]:
    @contextlib.contextmanager
    def make(root: Path) -> Iterator[Ground]:
        image = root / "image"
        with image.open("wb") as stream:
            stream.truncate(megabytes << 20)
        subprocess.run([*mkfs, str(image)], check=True, capture_output=True)
        with mounted(root / "m", *(("-t", kind) if kind else ()), "-o", "loop", image) as place:
            yield Ground(place / "stores", place / "environments")

    return make


@contextlib.contextmanager
def _tmpfs(root: Path) -> Iterator[Ground]:
    with mounted(root / "m", "-t", "tmpfs", "-o", "size=200m", "tmpfs") as place:
        yield Ground(place / "stores", place / "environments")


@contextlib.contextmanager
def _overlay(root: Path) -> Iterator[Ground]:
    with mounted(root / "below", "-t", "tmpfs", "-o", "size=200m", "tmpfs") as below:
        for name in ("lower", "upper", "work"):
            (below / name).mkdir()
        options = f"lowerdir={below / 'lower'},upperdir={below / 'upper'},workdir={below / 'work'}"
        with mounted(root / "m", "-t", "overlay", "overlay", "-o", options) as place:
            yield Ground(place / "stores", place / "environments")


@contextlib.contextmanager
def _bind(root: Path) -> Iterator[Ground]:
    """Two mounts of one filesystem: the same device number, and no links between them."""
    (root / "behind").mkdir()
    with mounted(root / "m", "--bind", root / "behind") as place:
        yield Ground(root / "stores", place / "environments")


@contextlib.contextmanager
def _subvolumes(root: Path) -> Iterator[Ground]:
    with _image(128, "mkfs.btrfs", "-q", "-f")(root) as ground:
        top = ground.stores.parent
        for name in ("one", "two"):
            subprocess.run(["btrfs", "-q", "subvolume", "create", str(top / name)], check=True)
        yield Ground(top / "one" / "stores", top / "two" / "environments")


@contextlib.contextmanager
def _exfat(root: Path) -> Iterator[Ground]:
    with _image(400, "mkfs.exfat", kind="exfat-fuse")(root) as ground:
        os.utime(ground.stores.parent)
        yield Ground(root / "stores", ground.environments)


_LOOP: Final = (Capability.ROOT, Capability.MOUNT)
FILESYSTEMS: Final = (
    Filesystem("ext4", (*_LOOP, Capability.LOOP), _image(64, "mkfs.ext4", "-q", "-F")),
    Filesystem("btrfs", (*_LOOP, Capability.BTRFS), _image(128, "mkfs.btrfs", "-q", "-f"), clones=True),
    Filesystem(
        "subvolumes", (*_LOOP, Capability.BTRFS), _subvolumes, clones=True, automatic=LinkMode.CLONE, companion=True
    ),
    Filesystem("xfs", (*_LOOP, Capability.XFS), _image(320, "mkfs.xfs", "-q", "-f", "-m", "reflink=1"), clones=True),
    Filesystem("tmpfs", _LOOP, _tmpfs),
    Filesystem("overlay", (*_LOOP, Capability.OVERLAY), _overlay),
    Filesystem("bind", _LOOP, _bind, companion=True),
    Filesystem(
        "exfat",
        (*_LOOP, Capability.EXFAT),
        _exfat,
        automatic=LinkMode.COPY,
        hardlinks=False,
        symlinks=False,
        parameters=("--copies",),
        modes=False,
    ),
)
