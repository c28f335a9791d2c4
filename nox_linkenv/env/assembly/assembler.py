"""Carrying out skeletons and plans: the effects."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from nox_linkenv.digest import EMPTY, mtime_of
from nox_linkenv.env.interpreter.facts import fill
from nox_linkenv.env.links import Links, is_executable
from nox_linkenv.env.record import in_order, record_row
from nox_linkenv.errors import EnvError, remedy_for
from nox_linkenv.linking import SYMLINK_REFUSALS, LinkMode, LinkReport, Operations, link_files
from nox_linkenv.regular import open_regular
from nox_linkenv.store.directories import ancestors, is_directory, leading_outside
from nox_linkenv.store.objects import is_whole, owner_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from nox_linkenv.env.plan import Plan
    from nox_linkenv.env.skeleton import Skeleton
    from nox_linkenv.store.layout import Layout

__all__ = ["EMPTY_MTIME", "Assembler", "environment_errors", "write_private"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
#: The modification time, in seconds since the epoch, that bytecode of an empty module expects.
EMPTY_MTIME: Final = mtime_of(EMPTY)


@dataclass(frozen=True, slots=True, eq=False)
class Assembler:
    """Builds in the environment at *prefix* from the store at *layout*.

    Args:
        prefix: absolute path of the environment, with ``/``.
        layout: of the store that files are linked from.
        mode: how files are linked.
        operations: the seam to the filesystem.
        behind: the stores from which it is filled where it lacks a file: the main store of a companion, lower ones.
        since: see :class:`~nox_linkenv.store.link_policy.Arrangement`.
    """

    prefix: str
    layout: Layout
    mode: LinkMode = LinkMode.HARDLINK
    operations: Operations = field(default_factory=Operations)
    behind: tuple[Layout, ...] = ()
    since: int = 0

    def texts(self, skeleton: Skeleton) -> dict[str, bytes]:
        """Return the contents, by path, of the texts of *skeleton*."""
        return {path: fill(text, self.prefix).encode() for path, text, _ in skeleton.texts}

    def skeleton(self, skeleton: Skeleton, *, texts: Mapping[str, bytes], kept: Container[str] = ()) -> None:
        """Write what *skeleton* does not link: symlinks, texts and copies.  The directories exist, the files do not.

        Args:
            texts: what :meth:`texts` gave.
            kept: texts which are there already.

        Raises:
            OSError: the directory cannot be written.
        """
        for path, target in skeleton.symlinks:
            self._symlink(fill(target, self.prefix), f"{self.prefix}/{path}")
        for path, _, executable in skeleton.texts:
            if path not in kept:
                self._write(path, texts[path], executable=executable)
        for path, source in skeleton.copies:
            self._copy(path, source)

    def link(self, links: Links, *, inodes: list[int] | None = None) -> LinkReport:
        """Make the files of *links*; their directories exist.

        Raises:
            LinkError: a file could neither be linked nor copied.
            StoreUnwritableError: the store had to be filled and cannot be.
        """
        if self.since:
            self._raise(links)
        report = self.link_from(self.layout, links, inodes)
        if report.damaged and self.behind:
            from nox_linkenv.env.assembly.filling import link_from_behind

            link_from_behind(self, links, report, inodes)
        return report

    def _raise(self, links: Links) -> None:
        """Put into the upper layer of an overlay what a hard link would have the system copy there whole, unasked."""
        from nox_linkenv.store.layers import bring, outdated

        old = outdated(self.layout, links.sources, self.since)
        files = zip(links.sources, links.sizes, links.mtimes, strict=True)
        chosen = [file for file in files if file[0] in old]
        if chosen:
            bring(self.layout, [self.layout], chosen)

    def link_from(self, layout: Layout, links: Links, inodes: list[int] | None) -> LinkReport:
        """Make the files of *links* from the store at *layout* alone."""
        base, prefix = layout.base + "/", self.prefix + "/"
        return link_files(
            [base + source for source in links.sources],
            [prefix + path for path in links.paths],
            links.sizes,
            links.mtimes,
            mode=self.mode,
            operations=self.operations,
            inodes=inodes,
            owner=owner_of(layout.base) if self.mode is LinkMode.HARDLINK else None,
        )

    def contents(self, plan: Plan) -> dict[str, bytes]:
        """Return the contents, by path, of the private texts and RECORDs of *plan* that can be told without the store.

        A RECORD with a row for a script whose first line is rewritten cannot.
        """
        found = {path: fill(text, self.prefix).encode() for path, text, _ in plan.texts}
        records = {
            path: self._record(rows, computed, found)
            for path, rows, computed in plan.records
            if all(file in found for file, _ in computed)
        }
        return {**found, **records}

    def private(self, plan: Plan, *, contents: Mapping[str, bytes] | None = None, kept: Container[str] = ()) -> None:
        """Write what *plan* does not link: empty files, texts, scripts, RECORDs, and last what is read when
        an interpreter starts (``.pth`` and ``.start`` files).

        Args:
            contents: what :meth:`contents` gave.
            kept: private files which are there already.

        Raises:
            OSError: the environment cannot be written.
        """
        self.empty(plan.empty, kept=kept)
        written = dict(self.contents(plan) if contents is None else contents)
        for path, _, executable in plan.texts:
            if path not in kept:
                self._write(path, written[path], executable=executable)
        for path, source in plan.shebangs:
            written[path] = self._rewrite(path, source, fill(plan.shebang, self.prefix).encode())
        for path, rows, computed in plan.records:
            if path not in kept:
                self._write(path, written.get(path) or self._record(rows, computed, written), executable=False)
        for path, source in plan.copies:
            self._copy(path, source)

    @staticmethod
    def _record(rows: list[str], computed: Sequence[tuple[str, str]], contents: Mapping[str, bytes]) -> bytes:
        lines = in_order([*rows, *(record_row(row, contents[file]) for file, row in computed)]) if computed else rows
        return "".join(f"{line}\n" for line in lines).encode()

    def empty(self, files: Iterable[tuple[str, bool]], *, kept: Container[str] = ()) -> None:
        """Write empty *files* (path, executable) but those *kept*, with the time that their bytecode expects.

        Raises:
            OSError: the environment cannot be written.
        """
        for path, executable in files:
            if path not in kept:
                os.utime(self._write(path, b"", executable=executable), (EMPTY_MTIME, EMPTY_MTIME))

    def empty_bytecode(self, paths: Iterable[str], content: bytes, *, kept: Container[str] = ()) -> None:
        """Write the bytecode *content* of empty modules to all *paths* but those *kept*; nothing, where it is empty.

        Raises:
            OSError: the environment cannot be written.
        """
        for path in paths if content else ():
            if path not in kept:
                os.utime(self._write(path, content, executable=False), (EMPTY_MTIME, EMPTY_MTIME))

    def damaged(self, private: Iterable[tuple[str, str]]) -> Links:
        """Return those of *private* (path, source) whose source is missing or does not hash to its address."""
        found = Links()
        for path, source in private:
            if not is_whole(self.layout, source):
                found.add_source(path, source, 0, 0)
        if found.paths and self.behind:
            from nox_linkenv.store.layers import bring

            bring(self.layout, self.behind, [(source, -1, 0) for source in found.sources])
            return found.selected([at for at, source in enumerate(found.sources) if not is_whole(self.layout, source)])
        return found

    def touch(self, directories: Iterable[str]) -> None:
        """Renew the modification time of site-packages *directories*, so that importers list them again."""
        for directory in directories:
            with contextlib.suppress(FileNotFoundError):
                os.utime(f"{self.prefix}/{directory}")

    def directories(self, directories: Sequence[str]) -> None:
        """Make *directories* (relative, parents first); one that exists is fine.

        Raises:
            EnvError: a file stands in the way, or a link that leads outside of the environment.
            OSError: the environment cannot be written.
        """
        prefix, mkdir = self.prefix + "/", os.mkdir
        for directory in directories:
            try:
                mkdir(prefix + directory)
            except FileExistsError as error:
                if is_directory(prefix + directory):
                    continue
                if leading_outside(self.prefix, [*ancestors(directory)]) is not None:
                    raise EnvError(
                        "A link stands where a package needs a directory, and leads outside of the environment",
                        path=prefix + directory,
                        remedy="Remove the link, or let the environment be made anew.",
                    ) from error
                if not os.path.isdir(prefix + directory):
                    raise EnvError(
                        "A file stands where a package needs a directory",
                        path=prefix + directory,
                        remedy="Remove the file, or let the environment be made anew.",
                    ) from error

    def _write(self, path: str, content: bytes, *, executable: bool) -> str:
        return write_private(f"{self.prefix}/{path}", content, executable=executable)

    @staticmethod
    def _symlink(target: str, path: str) -> None:
        try:
            os.symlink(target, path)
        except OSError as error:
            if error.errno not in SYMLINK_REFUSALS:
                raise
            raise EnvError(
                f"The filesystem has no symlinks, and the environment is to have some ({error.strerror})",
                path=path,
                remedy='Have it made of copies: venv_params=["--copies"] in nox, always_copy = true in tox.',
            ) from error

    def _copy(self, path: str, source: str) -> None:
        target = f"{self.prefix}/{path}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)
        self.operations.copy(f"{self.layout.base}/{source}", target)

    def _rewrite(self, path: str, source: str, shebang: bytes) -> bytes:
        with open(open_regular(f"{self.layout.base}/{source}"), "rb") as stream:
            stream.readline()
            content = shebang + b"\n" + stream.read()
        self._write(path, content, executable=is_executable(source))  # as the wheel has it: pip adds no bit
        return content


def environment_errors(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Turn the operating system's refusals while *function* writes an environment into errors that say what to do.

    Args:
        function: a method of what has a ``prefix``, which is named where the system names no file.
    """

    @functools.wraps(function)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return function(*args, **kwargs)
        except OSError as error:
            if (path := _of_another(error)) is not None:
                raise EnvError(
                    "The environment is another user's, and cannot be replaced",
                    path=path,
                    remedy="As after sudo nox: remove it as that user, or have it given to you (chown -R).",
                ) from error
            raise EnvError(
                f"The environment cannot be written ({error.strerror})",
                path=error.filename2 or error.filename or getattr(args[0], "prefix", None),
                remedy=remedy_for(error),
            ) from error

    return run


def _of_another(error: OSError) -> str | None:
    """Return the path of what is another user's, where that is why the system refuses; ``None`` if it is not."""
    if error.errno not in (errno.EACCES, errno.EPERM) or not hasattr(os, "geteuid") or not os.geteuid():
        return None
    for path in (error.filename, error.filename2):
        if not isinstance(path, str):
            continue
        for place in (path, os.path.dirname(path)):
            with contextlib.suppress(OSError):
                if os.lstat(place).st_uid != os.geteuid():
                    return place
    return None


def write_private(target: str, content: bytes, *, executable: bool) -> str:
    """Write a file that shares nothing with any other: whatever stands there is unlinked first, never opened.

    Its mode follows the umask, but everybody may read and run what is *executable*: so pip has it for the scripts that
    it makes.

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
        rest = memoryview(content)
        while rest:  # on a disk that is nearly full the system writes a part and raises only when asked for the rest
            rest = rest[os.write(descriptor, rest) :]
        if executable and sys.platform != "win32" and (found := os.fstat(descriptor).st_mode) & 0o555 != 0o555:
            os.fchmod(descriptor, found & 0o777 | 0o555)
    finally:
        os.close(descriptor)
    return target
