"""Links and copies: what they carry over, which refusals lead to a copy, which sources are not used."""

from __future__ import annotations

import errno
import os
import random
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.errors import LinkError
from nox_linkenv.linking import LinkMode, LinkReport, Operations, copy_file, link_files

if TYPE_CHECKING:
    from collections.abc import Callable

#: Where the temporary directory has no clones, asking for them is answered by copies.
MODES: Final = tuple(mode for mode in LinkMode if mode is not LinkMode.AUTO)
_TIME: Final = 1_200_000_000
#: An address of an executable object ends in ``x``, that of another in a hexadecimal digit.
_NAMES: Final = ("a0", "b1", "c2x", "d3", "e4x")


@dataclass
class Files:
    """Sources as the store has them, and where they are to go."""

    sources: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    mtimes: list[int] = field(default_factory=list)

    def link(
        self,
        *,
        mode: LinkMode = LinkMode.HARDLINK,
        operations: Operations | None = None,
        inodes: list[int] | None = None,
    ) -> LinkReport:
        return link_files(
            self.sources, self.targets, self.sizes, self.mtimes, mode=mode, operations=operations, inodes=inodes
        )


def make(store: Path, environment: Path) -> Files:
    files = Files()
    for directory in (store, environment):
        directory.mkdir(exist_ok=True)
    noise = random.Random(0)
    for number, name in enumerate(_NAMES):
        path = store / name
        path.write_bytes(noise.randbytes(100 + number))
        path.chmod(0o755 if name.endswith("x") else 0o644)
        os.utime(path, (_TIME + number, _TIME + number))
        files.sources.append(str(path))
        files.targets.append(str(environment / f"{name}.py"))
        files.sizes.append(100 + number)
        files.mtimes.append(_TIME + number)
    return files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return make(tmp_path / "store", tmp_path / "environment")


def check(files: Files, *, without: frozenset[int] = frozenset()) -> None:
    """Check content, mode and modification time of every target, and that those of *without* are not there."""
    for number, (source, target) in enumerate(zip(map(Path, files.sources), map(Path, files.targets), strict=True)):
        if number in without:
            assert not os.path.lexists(target)
            continue
        assert target.read_bytes() == source.read_bytes()
        assert stat.S_IMODE(target.stat().st_mode) == (0o755 if source.name.endswith("x") else 0o644)
        assert target.stat().st_mtime_ns == files.mtimes[number] * 10**9


def refuse(number: int, only: str | None = None) -> Callable[[str, str], None]:
    """Return a ``link`` that the system refuses with errno *number* (for the source named *only*, if one is given)."""

    def link(source: str, target: str) -> None:
        if only is None or os.path.basename(source) == only:
            raise OSError(number, os.strerror(number), source, None, target)
        os.link(source, target)

    return link


def windows(code: int, number: int) -> Callable[[str, str], None]:
    """Return a ``link`` that fails as on Windows: with an error code, and an errno that says little."""

    def link(source: str, target: str) -> None:
        error = OSError(number, "refused", source, None, target)
        error.winerror = code  # type: ignore[attr-defined,unused-ignore]
        raise error

    return link


def test_hard_links(files: Files) -> None:
    inodes: list[int] = []
    report = files.link(inodes=inodes)
    assert (report.linked, report.copied.total(), report.damaged, report.explain()) == (5, 0, [], None)
    assert inodes == [os.stat(source).st_ino for source in files.sources]
    assert inodes == [os.stat(target).st_ino for target in files.targets]
    check(files)


def test_copies_that_were_asked_for(files: Files) -> None:
    report = files.link(mode=LinkMode.COPY)
    assert (report.linked, report.copied.total(), report.damaged) == (0, 5, [])
    assert report.explain() is None
    assert all(os.stat(path).st_nlink == 1 for path in (*files.sources, *files.targets))
    check(files)


@pytest.mark.parametrize("mask", [0o077, 0o002])
@pytest.mark.parametrize("mode", MODES)
def test_umask_does_not_matter(mode: LinkMode, mask: int, files: Files) -> None:
    before = os.umask(mask)
    try:
        files.link(mode=mode)
    finally:
        os.umask(before)
    check(files)


def test_nothing_to_link() -> None:
    report = Files().link()
    assert (report.linked, report.copied, report.damaged) == (0, {}, [])


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EXDEV, "different filesystems or mounts"),
        (errno.EPERM, r"no hard links, or fs\.protected_hardlinks"),
        (errno.EACCES, "denies linking"),
        (errno.EMLINK, "limit of links"),
        (errno.ENOTSUP, "no hard links"),
        (errno.EOPNOTSUPP, "no hard links"),
        (errno.ENOSYS, "no hard links"),
        (errno.EINVAL, "no hard links"),
        (errno.ENOSPC, "directory index is full"),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else None,
)
def test_refusal_copies_that_file(number: int, reason: str, files: Files) -> None:
    report = files.link(operations=Operations(link=refuse(number, only="c2x")))
    assert (report.linked, report.copied.total(), report.damaged) == (4, 1, [])
    check(files)
    assert [os.stat(target).st_nlink for target in files.targets] == [2, 2, 1, 2, 2]
    line = report.explain()
    assert line is not None
    assert "\n" not in line
    assert re.search(reason, line)


@pytest.mark.parametrize(
    ("code", "number", "reason"),
    [
        (1, errno.EINVAL, "no hard links"),
        (17, errno.EXDEV, "different volumes"),
        (396, errno.EINVAL, "volume does not support"),
        (1142, errno.EMLINK, "limit of links"),
        (1142, errno.EINVAL, "limit of links"),
    ],
)
def test_refusal_of_windows(code: int, number: int, reason: str, files: Files) -> None:
    report = files.link(operations=Operations(link=windows(code, number)))
    assert (report.linked, report.copied.total()) == (0, 5)
    assert reason in (report.explain() or "")
    check(files)


def test_reasons_are_counted(files: Files) -> None:
    numbers = iter([errno.EXDEV, errno.EMLINK, errno.EXDEV, errno.EXDEV, errno.EMLINK])

    def link(source: str, target: str) -> None:
        refuse(next(numbers))(source, target)

    line = files.link(operations=Operations(link=link)).explain()
    assert line is not None
    assert line.startswith("5 files were copied instead of linked: 3 because ")
    assert line.index("3 because the store and the environment are on") < line.index("2 because some files have")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOENT, errno.EROFS, errno.EDQUOT, errno.ELOOP, errno.ENOTDIR])
def test_any_other_error_is_an_error(number: int, files: Files) -> None:
    copied: list[str] = []

    def copy(source: str, target: str) -> None:
        copied.append(target)
        copy_file(source, target)

    with pytest.raises(LinkError) as caught:
        files.link(operations=Operations(link=refuse(number, only="d3"), copy=copy))
    assert caught.value.path == Path(files.targets[3])
    assert os.strerror(number) in str(caught.value)
    assert caught.value.remedy.endswith(".")
    assert copied == []


def test_unknown_windows_error_is_an_error(files: Files) -> None:
    with pytest.raises(LinkError):
        files.link(operations=Operations(link=windows(1450, errno.EIO)))


def test_copy_that_fails_is_an_error_and_leaves_nothing_half_made(files: Files) -> None:
    def copy(source: str, target: str) -> None:
        copy_file(source, target)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)

    with pytest.raises(
        LinkError, match=r"neither be linked .*Invalid cross-device.* nor copied .*No space left"
    ) as caught:
        files.link(operations=Operations(link=refuse(errno.EXDEV), copy=copy))
    assert caught.value.path == Path(files.targets[0])
    assert not os.path.exists(files.targets[0])


def _missing(path: Path) -> None:
    path.unlink()


def _longer(path: Path) -> None:
    times = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes() + b"x")
    os.utime(path, ns=(times, times))


def _shorter(path: Path) -> None:
    times = path.stat().st_mtime_ns
    path.write_bytes(b"")
    os.utime(path, ns=(times, times))


def _later(path: Path) -> None:
    os.utime(path, (_TIME + 100, _TIME + 100))


def _later_by_a_microsecond(path: Path) -> None:
    times = path.stat().st_mtime_ns + 1000
    os.utime(path, ns=(times, times))


def _flip_executable(path: Path) -> None:
    path.chmod(path.stat().st_mode ^ 0o111)


def _unreadable(path: Path) -> None:
    path.chmod(0)


def _setuid(path: Path) -> None:
    path.chmod(0o4755 if path.name.endswith("x") else 0o4644)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("position", [0, 2, 4])
@pytest.mark.parametrize(
    "damage",
    [
        _missing,
        _longer,
        _shorter,
        _later,
        _later_by_a_microsecond,
        _flip_executable,
        _unreadable,
        _setuid,
        _directory,
    ],
    ids=lambda function: function.__name__.strip("_"),
)
def test_damaged_source_is_reported_and_not_linked(
    damage: Callable[[Path], None], position: int, mode: LinkMode, files: Files
) -> None:
    damage(Path(files.sources[position]))
    inodes: list[int] = []
    report = files.link(mode=mode, inodes=inodes)
    assert report.damaged == [position]
    assert report.linked + report.copied.total() == 4
    assert [number for number, inode in enumerate(inodes) if inode == 0] == [position]
    check(files, without=frozenset({position}))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["file", "link", "symlink", "dangling"])
def test_existing_target_is_replaced_and_what_it_was_linked_to_is_not_touched(
    kind: str, mode: LinkMode, files: Files, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"untouched")
    os.utime(other, (5, 5))
    target = Path(files.targets[1])
    if kind == "file":
        target.write_bytes(b"old")
    elif kind == "link":
        target.hardlink_to(other)
    else:
        target.symlink_to(other if kind == "symlink" else tmp_path / "nowhere")
    report = files.link(mode=mode)
    assert report.linked + report.copied.total() == 5
    assert target.is_symlink() is (mode is LinkMode.SYMLINK)
    check(files)
    assert (other.read_bytes(), other.stat().st_mtime, other.stat().st_nlink) == (b"untouched", 5, 1)
    assert not (tmp_path / "nowhere").exists()


def test_existing_target_where_links_are_refused(files: Files) -> None:
    """The refusal may come before the system looks at the target."""
    Path(files.targets[1]).write_bytes(b"old")
    report = files.link(operations=Operations(link=refuse(errno.EXDEV)))
    assert report.copied.total() == 5
    check(files)


@pytest.mark.parametrize("mode", MODES)
def test_directory_where_a_file_belongs(mode: LinkMode, files: Files) -> None:
    Path(files.targets[1]).mkdir()
    with pytest.raises(LinkError) as caught:
        files.link(mode=mode)
    assert caught.value.path == Path(files.targets[1])


@pytest.mark.parametrize("mode", MODES)
def test_missing_directory(mode: LinkMode, files: Files) -> None:
    files.targets[1] = files.targets[1] + "/missing/x.py"
    with pytest.raises(LinkError) as caught:
        files.link(mode=mode)
    assert caught.value.path == Path(files.targets[1])


def test_asking_for_copies_keeps_nothing_alive(tmp_path: Path) -> None:
    """An exception that is raised again and again grows by a frame each time, and frames hold all they know."""
    from nox_linkenv import linking

    for turn in range(3):
        make(tmp_path / "store", tmp_path / f"environment-{turn}").link(mode=LinkMode.COPY)
    shared = [value for value in vars(linking).values() if isinstance(value, BaseException)]
    assert [error.__traceback__ for error in shared] == [None] * len(shared)


def test_copy_is_private(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"x" * 3_000_000)
    source.chmod(0o755)
    os.utime(source, ns=(7, 1_234_567_890_123_456_789))
    copy_file(str(source), str(target))
    assert target.stat().st_ino != source.stat().st_ino
    assert target.read_bytes() == source.read_bytes()
    assert (target.stat().st_mode, target.stat().st_mtime_ns) == (source.stat().st_mode, source.stat().st_mtime_ns)
    with pytest.raises(FileExistsError):
        copy_file(str(source), str(target))


def test_a_source_that_was_away_for_a_moment_is_linked(files: Files) -> None:
    """Somebody removes it after it was looked at and stores it again before anyone asks why the link failed."""
    path = Path(files.sources[2])

    def link(source: str, target: str) -> None:
        if source == str(path) and not away:
            away.append(path.read_bytes())
            status = path.stat()
            path.unlink()
            try:
                os.link(source, target)
            finally:
                path.write_bytes(away[0])
                path.chmod(stat.S_IMODE(status.st_mode))
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.link(source, target)

    away: list[bytes] = []
    inodes: list[int] = []
    report = files.link(mode=LinkMode.HARDLINK, operations=Operations(link=link), inodes=inodes)
    assert (report.linked, report.damaged, report.copied.total()) == (5, [], 0)
    assert inodes[2] == path.stat().st_ino
    check(files)
