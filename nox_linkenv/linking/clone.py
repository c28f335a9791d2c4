"""Clones: a new file that shares its blocks with another until one of them is written (reflinks).

Linux has the ioctl FICLONE (``ioctl_ficlone(2)``), macOS ``clonefile(2)``, Windows FSCTL_DUPLICATE_EXTENTS_TO_FILE on
ReFS.  Only the first has been run; the others stand behind the same function and refuse by ``OSError`` like it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import Final

__all__ = ["clone_file"]

_FICLONE: Final = 0x40049409


def clone_file(source: str, target: str) -> None:
    """Clone *source* with its mode and modification time; *target* must not exist.

    Raises:
        OSError: the system refuses; nothing is left at *target*.
    """
    status = os.stat(source)
    if sys.platform == "linux":
        _ficlone(source, target, status)
    elif sys.platform == "darwin":
        _clonefile(source, target)
        os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns))
    elif sys.platform == "win32":
        _duplicate_extents(source, target, status.st_size)
        os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns))
    else:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), source, None, target)


def _ficlone(source: str, target: str, status: os.stat_result) -> None:
    if sys.platform != "linux":  # which has none of what follows
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), source, None, target)
    import fcntl

    reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.ioctl(writer, _FICLONE, reader)
            os.fchmod(writer, status.st_mode & 0o777)
            os.utime(writer, ns=(status.st_mtime_ns, status.st_mtime_ns))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(target)
            raise
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _clonefile(source: str, target: str) -> None:
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if library.clonefile(os.fsencode(source), os.fsencode(target), 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), source, None, target)


def _duplicate_extents(source: str, target: str, size: int) -> None:  # pragma: no cover - Windows
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        control, cluster = 0x00098344, 1 << 16  # ReFS: 64 KiB is a multiple of either cluster size

        class Extents(ctypes.Structure):
            _fields_ = (
                ("handle", ctypes.c_void_p),
                ("source", ctypes.c_longlong),
                ("target", ctypes.c_longlong),
                ("count", ctypes.c_longlong),
            )

        with open(source, "rb") as reader:
            try:
                with open(target, "xb") as writer:
                    writer.truncate(size)
                    count = -(-size // cluster) * cluster
                    extents = Extents(msvcrt.get_osfhandle(reader.fileno()), 0, 0, count)
                    done = ctypes.c_ulong()
                    handle = ctypes.c_void_p(msvcrt.get_osfhandle(writer.fileno()))
                    if not ctypes.windll.kernel32.DeviceIoControl(
                        handle,
                        control,
                        ctypes.byref(extents),
                        ctypes.sizeof(extents),
                        None,
                        0,
                        ctypes.byref(done),
                        None,
                    ):
                        raise ctypes.WinError()
            except FileExistsError:
                raise
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(target)
                raise
