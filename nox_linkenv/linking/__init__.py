"""Making a file of the environment out of a file of the store: the only code that links.

Whatever the mode, where the system refuses a file, that file is copied and the reason is counted.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import stat
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.errors import LinkError, remedy_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["LinkMode", "LinkReport", "Operations", "clone_file", "copy_file", "link_files", "probe_hardlink"]


class LinkMode(enum.Enum):
    """How a file of the environment is made of the store's.

    ``AUTO`` is what a user may ask for; what it comes to is decided before a file is linked.
    """

    AUTO = "auto"
    CLONE = "clone"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"
    COPY = "copy"


#: What each refusal of ``link(2)`` means to a user; any other error is an error.
REFUSALS: Final[dict[int, str]] = {
    errno.EXDEV: "the store and the environment are on different filesystems or mounts",
    errno.EPERM: "the filesystem has no hard links, or fs.protected_hardlinks forbids linking another user's files",
    errno.EACCES: "the system denies linking the store's files",
    errno.EMLINK: "some files have reached the filesystem's limit of links",
    errno.ENOTSUP: "the filesystem has no hard links",
    errno.EOPNOTSUPP: "the filesystem has no hard links",
    errno.ENOSYS: "the filesystem has no hard links",
    errno.EINVAL: "the filesystem has no hard links",
}
#: The same for clones, where it differs.
CLONE_REFUSALS: Final[dict[int, str]] = {
    **dict.fromkeys(
        (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENOTTY, errno.EBADF),
        "the filesystem cannot clone files",
    ),
    errno.EXDEV: "the store and the environment are on different filesystems",
    errno.EACCES: "the system denies reading the store's files",
}
#: The same for symlinks.
SYMLINK_REFUSALS: Final[dict[int, str]] = dict.fromkeys(
    (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL), "the filesystem has no symlinks"
)
#: The same by Windows error code: invalid function, not the same device, not supported on the volume, too many links.
WINDOWS_REFUSALS: Final[dict[int, str]] = {
    1: "the filesystem has no hard links",
    17: "the store and the environment are on different volumes",
    396: "the volume does not support hard links",
    1142: "some files have reached the filesystem's limit of links",
    1314: "Windows lets only developers and administrators make symlinks",
}

#: Modes of an object that nobody has changed; an executable one's name ends in ``x``.
_PLAIN: Final = stat.S_IFREG | 0o644
_EXECUTABLE: Final = stat.S_IFREG | 0o755

#: The reason for copies that need no explanation: they are what was asked for.
_ASKED: Final = "copies were asked for"
_REMEDY: Final = "Move the store next to your projects with LINKENV_STORE to have files linked."
_EITHER: Final = "linkenv doctor says which it is, and what to do."


def copy_file(source: str, target: str) -> None:
    """Copy content, mode and modification time; *target* must not exist.

    Mode and time are carried over because the time makes the linked bytecode valid.
    """
    import shutil

    with open(source, "rb") as reader, open(target, "xb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)
    status = os.stat(source)
    os.chmod(target, status.st_mode & 0o777)
    os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns))


def clone_file(source: str, target: str) -> None:
    """Clone content, mode and modification time; *target* must not exist.

    Raises:
        OSError: the system refuses; nothing is left at *target*.
    """
    from nox_linkenv.linking.clone import clone_file as clone

    clone(source, target)


def symlink_file(source: str, target: str) -> None:
    """Make *target* a symlink to *source*; bytecode, which Python would not write through one, is linked or copied."""
    if not source.endswith(".pyc"):
        os.symlink(source, target)
        return
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        copy_file(source, target)


def probe_hardlink(source: str, directory: str) -> OSError | None:
    """Return how the system refuses a hard link of *source* in *directory*, or ``None`` where it makes one.

    Nothing but trying tells: mounts of one filesystem have the same device number and refuse all the same.
    """
    target = f"{directory}/.linkenv-probe-{os.getpid()}-{time.monotonic_ns()}"
    try:
        os.link(source, target)
    except OSError as error:
        return error
    os.unlink(target)
    return None


class Operations(NamedTuple):
    """The seam to the filesystem: tests hand in others, everyone else the real ones."""

    link: Callable[[str, str], None] = os.link
    copy: Callable[[str, str], None] = copy_file
    clone: Callable[[str, str], None] = clone_file
    symlink: Callable[[str, str], None] = symlink_file


@dataclass(slots=True, eq=False)
class LinkReport:
    """What became of one environment's files."""

    linked: int = 0
    copied: Counter[str] = field(default_factory=Counter)  # by reason
    copied_bytes: int = 0
    damaged: list[int] = field(default_factory=list)  # positions of sources which are missing or not as expected

    def explain(self) -> str | None:
        """Return one line for the user where files had to be copied, else ``None``."""
        told = Counter({reason: count for reason, count in self.copied.items() if reason != _ASKED})
        if not told:
            return None
        files = "1 file was" if told.total() == 1 else f"{told.total()} files were"
        reasons = "; ".join(f"{count} because {reason}" for reason, count in told.most_common())
        remedy = _REMEDY if told.keys() - {REFUSALS[errno.EPERM]} else _EITHER
        return f"{files} copied instead of linked: {reasons}. {remedy}"

    def add(self, other: LinkReport) -> None:
        """Count what became of more files of the same environment; their positions are their own."""
        self.linked += other.linked
        self.copied.update(other.copied)
        self.copied_bytes += other.copied_bytes


def link_files(
    sources: Sequence[str],
    targets: Sequence[str],
    sizes: Sequence[int],
    mtimes: Sequence[int],
    *,
    mode: LinkMode = LinkMode.HARDLINK,
    operations: Operations | None = None,
    inodes: list[int] | None = None,
    owner: int | None = None,
) -> LinkReport:
    """Make each of *targets* of the source at the same position, unless that source is not as expected.

    Args:
        sources, targets: absolute paths; the targets' directories exist, the targets do not.
        sizes: expected, in bytes.
        mtimes: expected, in whole seconds.
        mode: any but ``AUTO``.
        inodes: filled with the inode number of each file made (0 for a damaged source); that of its source where it
            is a hard link or a symlink.
        owner: number of the user whose the sources have to be, ``None`` for any.

    Raises:
        LinkError: a file could neither be linked nor copied.
    """
    operations = operations or Operations()
    report = LinkReport()
    status_of, link, refusals = os.lstat, *_method(mode, operations)
    seen = inodes.append if inodes is not None else None
    linked = 0
    for position, (source, target, size, mtime) in enumerate(zip(sources, targets, sizes, mtimes, strict=True)):
        try:
            status = status_of(source)
        except OSError:
            status = None
        expected = _EXECUTABLE if source[-1] == "x" else _PLAIN
        if (
            status is None
            or status.st_size != size
            or status.st_mtime != mtime
            or status.st_mode != expected
            or (owner is not None and status.st_uid != owner)
        ):
            report.damaged.append(position)
            if seen is not None:
                seen(0)
            continue
        number = status.st_ino
        try:
            try:
                link(source, target)
            except FileExistsError:
                _unlink(target)
                link(source, target)
            except FileNotFoundError:  # it may be there again: somebody has put it back, or stored it anew
                link(source, target)
                number = status_of(source).st_ino
            linked += 1
        except OSError as error:
            if os.path.lexists(source):
                _copy_instead(source, target, error, refusals, operations, report)
                report.copied_bytes += size
            else:  # it has just been removed: a prune, or a repair
                report.damaged.append(position)
                number = 0
        if seen is not None:
            seen(number)
    report.linked += linked
    if inodes is not None and (report.copied or mode is LinkMode.CLONE):
        _renumber(inodes, sources, targets)
    return report


def _method(mode: LinkMode, operations: Operations) -> tuple[Callable[[str, str], None], dict[int, str]]:
    """Return what makes a file in this *mode*, and what its refusals mean."""
    if mode is LinkMode.HARDLINK:
        return operations.link, REFUSALS
    if mode is LinkMode.CLONE:
        return operations.clone, CLONE_REFUSALS
    if mode is LinkMode.SYMLINK:
        return operations.symlink, SYMLINK_REFUSALS
    return _refuse, REFUSALS


def _renumber(inodes: list[int], sources: Sequence[str], targets: Sequence[str]) -> None:
    """Put the inode numbers of files that are not links of their sources into *inodes*, whose last ones are theirs."""
    start = len(inodes) - len(sources)
    for position, target in enumerate(targets, start):
        if inodes[position]:
            status = os.lstat(target)
            if stat.S_ISREG(status.st_mode):
                inodes[position] = status.st_ino


def _copy_instead(
    source: str, target: str, error: OSError, refusals: dict[int, str], operations: Operations, report: LinkReport
) -> None:
    reason = WINDOWS_REFUSALS.get(getattr(error, "winerror", None) or 0) or refusals.get(error.errno or 0)
    if reason is None and error.errno == errno.ENOSPC:
        reason = "the directory index is full"  # ext4: a copy may still find room, or say for itself that it has none
    if isinstance(error, _CopyAskedError):
        reason = _ASKED
    if reason is None:
        raise LinkError(
            f"A file could not be linked ({error.strerror})", path=target, remedy=remedy_for(error)
        ) from error
    _unlink(target)  # the refusal may have come before the system looked at the target
    try:
        operations.copy(source, target)
    except OSError as failure:
        with contextlib.suppress(OSError):
            os.unlink(target)
        raise LinkError(
            f"A file could neither be linked ({error.strerror}) nor copied ({failure.strerror})",
            path=target,
            remedy=remedy_for(failure),
        ) from failure
    report.copied[reason] += 1


def _unlink(target: str) -> None:
    try:
        os.unlink(target)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise LinkError(
            f"What stands in a file's place cannot be removed ({error.strerror})",
            path=target,
            remedy="Remove it, or let the environment be made anew.",
        ) from error


class _CopyAskedError(OSError):
    """Raised in place of linking; a new one each time, because an exception raised again keeps all earlier frames."""


def _refuse(source: str, target: str) -> None:
    raise _CopyAskedError(errno.ENOTSUP, "copies were asked for", source, None, target)
