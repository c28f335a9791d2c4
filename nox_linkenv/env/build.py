"""Carrying out skeletons and plans: the effects."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from nox_linkenv.digest import mtime_of
from nox_linkenv.env.facts import fill
from nox_linkenv.env.plan import Plan, record_row
from nox_linkenv.env.skeleton import Skeleton
from nox_linkenv.errors import DamagedObjectError, EnvError
from nox_linkenv.linking import LinkMode, LinkReport, Operations, link_files
from nox_linkenv.store.layout import Layout, object_name

__all__ = ["Builder", "write_private"]

#: SHA-256 of nothing: the modification time that bytecode of an empty module expects is derived from it, too.
_EMPTY: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_EMPTY_MTIME: Final = mtime_of(_EMPTY)


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds in the environment at *prefix* from the store at *layout*.

    Args:
        prefix: absolute path of the environment, with ``/``.
        layout: of the store.
        mode: how files are linked.
        operations: the seam to the filesystem.
    """

    prefix: str
    layout: Layout
    mode: LinkMode = LinkMode.HARDLINK
    operations: Operations = Operations()

    def skeleton(self, skeleton: Skeleton) -> LinkReport:
        """Make the directory *prefix*, which must not exist, into what *skeleton* says.

        Raises:
            DamagedObjectError: an object is missing or not as expected.
            LinkError, OSError: the directory cannot be written.
        """
        os.makedirs(self.prefix, exist_ok=True)
        self._directories(skeleton.directories)
        for path, target in skeleton.symlinks:
            os.symlink(fill(target, self.prefix), f"{self.prefix}/{path}")
        for path, content, executable in skeleton.texts:
            self._write(path, fill(content, self.prefix).encode(), executable=executable)
        for path, addr, _ in skeleton.copies:
            self._copy(path, object_name(addr))
        report = self._link(
            [path for path, _, _ in skeleton.links],
            [object_name(addr) for _, addr, _ in skeleton.links],
            [size for _, _, size in skeleton.links],
            [mtime_of(addr) for _, addr, _ in skeleton.links],
        )
        if report.damaged:
            raise DamagedObjectError(
                "An object of a stored skeleton is damaged",
                path=self.layout.object(skeleton.links[report.damaged[0]][1]),
                digest=skeleton.links[report.damaged[0]][1][:64],
                remedy="It is made anew when the skeleton is captured again.",
            )
        return report

    def install(self, plan: Plan) -> LinkReport:
        """Carry out *plan*: links first, then private files, RECORDs, and last the ``.pth`` files.

        Raises:
            LinkError, OSError: the environment cannot be written.
        """
        self._directories(plan.directories)
        report = self._link(plan.paths, plan.sources, plan.sizes, plan.mtimes)
        if report.damaged:
            return report
        for path, executable in plan.empty:
            target = self._write(path, b"", executable=executable)
            os.utime(target, (_EMPTY_MTIME, _EMPTY_MTIME))
        written: dict[str, bytes] = {}
        for path, text, executable in plan.texts:
            written[path] = fill(text, self.prefix).encode()
            self._write(path, written[path], executable=executable)
        for path, source in plan.shebangs:
            written[path] = self._rewrite(path, source, fill(plan.shebang, self.prefix).encode())
        for path, rows, computed in plan.records:
            lines = sorted([*rows, *(record_row(row, written[file]) for file, row in computed)]) if computed else rows
            self._write(path, "".join(f"{line}\n" for line in lines).encode(), executable=False)
        for path, source in plan.copies:
            self._copy(path, source)
        return report

    def touch(self, directories: Iterable[str]) -> None:
        """Renew the modification time of site-packages *directories*, so that importers list them again."""
        for directory in directories:
            with contextlib.suppress(FileNotFoundError):
                os.utime(f"{self.prefix}/{directory}")

    def _directories(self, directories: Sequence[str]) -> None:
        prefix, mkdir = self.prefix + "/", os.mkdir
        for directory in directories:
            try:
                mkdir(prefix + directory)
            except FileExistsError as error:
                if not os.path.isdir(prefix + directory):
                    raise EnvError(
                        "A file stands where a package needs a directory",
                        path=prefix + directory,
                        remedy="Remove the file, or let the environment be made anew.",
                    ) from error

    def _link(
        self, paths: Sequence[str], sources: Sequence[str], sizes: Sequence[int], mtimes: Sequence[int]
    ) -> LinkReport:
        base, prefix = self.layout.base + "/", self.prefix + "/"
        return link_files(
            [base + source for source in sources],
            [prefix + path for path in paths],
            sizes,
            mtimes,
            mode=self.mode,
            operations=self.operations,
        )

    def _write(self, path: str, content: bytes, *, executable: bool) -> str:
        return write_private(f"{self.prefix}/{path}", content, executable=executable)

    def _copy(self, path: str, source: str) -> None:
        target = f"{self.prefix}/{path}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)
        self.operations.copy(f"{self.layout.base}/{source}", target)

    def _rewrite(self, path: str, source: str, shebang: bytes) -> bytes:
        with open(f"{self.layout.base}/{source}", "rb") as stream:
            stream.readline()
            content = shebang + b"\n" + stream.read()
        self._write(path, content, executable=True)
        return content


def write_private(target: str, content: bytes, *, executable: bool) -> str:
    """Write a file that shares nothing with any other: whatever stands there is unlinked first, never opened.

    Returns:
        *target*.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    mode = 0o777 if executable else 0o666
    try:
        descriptor = os.open(target, flags, mode)
    except FileExistsError:
        os.unlink(target)
        descriptor = os.open(target, flags, mode)
    try:
        if content:
            os.write(descriptor, content)
    finally:
        os.close(descriptor)
    return target
