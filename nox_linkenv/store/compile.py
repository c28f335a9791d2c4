"""Shared bytecode: one pyc per object and interpreter, compiled by a clean run of that interpreter.

A pyc of this kind is valid wherever its source is a link of the object (or a copy with its modification time): it
names size and time of the source (PEP 3147, PEP 552), and ``co_filename`` is corrected when it is imported.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from nox_linkenv.digest import file_digest, mtime_of
from nox_linkenv.store.files import make_directory, publish, staging_name
from nox_linkenv.store.layout import Layout, bytecode_name
from nox_linkenv.store.objects import finish

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["bytecode_of", "compile_objects"]

#: Run by the target interpreter with ``-I -S``: no site, no user configuration, no optimisation, no hooks.
_WORKER: Final = """
import json, py_compile, sys
mode = py_compile.PycInvalidationMode.TIMESTAMP
for source, target, name in json.load(sys.stdin):
    try:
        py_compile.compile(source, target, name, doraise=True, optimize=0, invalidation_mode=mode)
    except Exception:
        pass
"""


def compile_objects(
    layout: Layout,
    python: str,
    tag: str,
    objects: Mapping[str, str],
    *,
    environ: Mapping[str, str],
    jobs: int,
    lower: Sequence[Layout] = (),
) -> int:
    """Compile those of *objects* which have no bytecode yet and return how many have been.

    An object that does not hash to its address is passed over, and so is one that does not compile.

    Args:
        python: the interpreter, base or environment's.
        tag: its :attr:`Facts.tag`.
        objects: address -> name shown in tracebacks until import corrects it.
        environ: variables for the interpreter.
        jobs: how many run at a time.
        lower: stores that are read where this one lacks an object or its bytecode.
    """
    layers = (layout, *lower)
    missing = [
        addr
        for addr in objects
        if not any(os.path.exists(f"{layer.base}/{bytecode_name(tag, addr)}") for layer in layers)
    ]
    if not missing:
        return 0
    staging = staging_name(layout.staging)
    make_directory(staging)
    try:
        found = {addr: next((layer.object(addr) for layer in layers if _whole(layer, addr)), None) for addr in missing}
        work = [(path, f"{staging}/{addr}", objects[addr]) for addr, path in found.items() if path is not None]
        processes = [_start(python, work[part::jobs], environ) for part in range(jobs)]
        for process in processes:
            process.wait()
        done = 0
        for addr in missing:
            staged = f"{staging}/{addr}"
            with contextlib.suppress(FileNotFoundError):
                finish(staged, executable=False, mtime=mtime_of(addr))
                with open(staged, "rb") as stream:
                    os.fsync(stream.fileno())  # nobody waits, and nothing else tells a truncated pyc from a whole one
                publish(staged, f"{layout.base}/{bytecode_name(tag, addr)}")
                done += 1
        return done
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def bytecode_of(layers: Sequence[Layout], tag: str, addresses: Iterable[str]) -> dict[str, int]:
    """Return the size in bytes of the bytecode of each of *addresses* that has some in one of *layers*."""
    found: dict[str, int] = {}
    for addr in addresses:
        for layer in layers:
            with contextlib.suppress(OSError):
                found.setdefault(addr, os.stat(f"{layer.base}/{bytecode_name(tag, addr)}").st_size)
    return found


def _whole(layout: Layout, addr: str) -> bool:
    try:
        with open(layout.object(addr), "rb") as stream:
            return file_digest(stream) == addr[:64]
    except OSError:
        return False


def _start(python: str, work: Sequence[tuple[str, str, str]], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [python, "-I", "-S", "-c", _WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(environ),
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(list(work)).encode())
        process.stdin.close()
    return process
