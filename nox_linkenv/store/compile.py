"""Shared bytecode: one pyc per object and interpreter, compiled by a clean run of that interpreter.

A pyc of this kind is valid wherever its source is a link of the object (or a copy with its modification time): it
names size and time of the source (PEP 3147, PEP 552), and ``co_filename`` is corrected when it is imported.

Its name has the address of the object and a digest of the pyc itself, because two runs of one interpreter need not
make the same of the same source.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.digest import file_digest, mtime_of
from nox_linkenv.store.directories import names_of
from nox_linkenv.store.files import create, make_directory, publish, staging_name
from nox_linkenv.store.layout import BYTECODE, PYC_DIGITS, Layout, bytecode_name, object_name
from nox_linkenv.store.objects import finish, intact, is_whole, owner_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["StoredBytecode", "bytecode_of", "compile_objects", "store_bytecode"]

#: Characters of a pyc's name in its directory: the rest of the address, a hyphen, its own digest, the suffix.
_LENGTH: Final = 62 + 1 + PYC_DIGITS + len(".pyc")

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
    known = bytecode_of(layers, tag, objects)
    missing = [addr for addr in objects if addr not in known]
    if not missing:
        return 0
    staging = staging_name(layout.staging)
    make_directory(staging)
    try:
        found = {
            addr: next((layer.object(addr) for layer in layers if is_whole(layer, object_name(addr))), None)
            for addr in missing
        }
        work = [(path, f"{staging}/{addr}", objects[addr]) for addr, path in found.items() if path is not None]
        processes = [_start(python, work[part::jobs], environ) for part in range(jobs)]
        for process in processes:
            process.wait()
        return _publish(layout, tag, {addr: f"{staging}/{addr}" for addr in missing})
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def store_bytecode(layout: Layout, tag: str, pycs: Mapping[str, str]) -> None:
    """Store *pycs* that an interpreter without options has left beside copies of objects.

    They differ from those of :func:`compile_objects` by the modification time of the source alone, which is set.

    Args:
        tag: the interpreter's :attr:`Facts.tag`.
        pycs: address of the object -> path of the pyc.
    """
    known = bytecode_of([layout], tag, pycs)
    make_directory(layout.staging)
    staged: dict[str, str] = {}
    for addr, path in pycs.items():
        with open(path, "rb") as stream:
            content = stream.read()
        magic, flags, size = content[:4], content[4:8], content[12:16]
        source = os.path.getsize(layout.object(addr)).to_bytes(4, "little")
        if addr in known or magic.hex() != tag.rpartition("-")[2] or flags != bytes(4) or size != source:
            continue
        staged[addr] = staging_name(layout.staging)
        with create(staged[addr]) as stream:
            stream.write(magic + flags + mtime_of(addr).to_bytes(4, "little") + content[12:])
    _publish(layout, tag, staged)


def _publish(layout: Layout, tag: str, pycs: Mapping[str, str]) -> int:
    """Publish the pycs that were staged and are there, by the addresses of their objects; return how many these are.

    Nothing but the disk's word tells a truncated pyc from a whole one after a loss of power, so all are on the disk
    before one has its name.  They are sent there together, because then one commit of the file system serves them all.
    """
    there = []
    for addr, staged in pycs.items():
        with contextlib.suppress(FileNotFoundError):
            finish(staged, executable=False, mtime=mtime_of(addr))
            there.append(addr)
    for addr in there:
        with open(pycs[addr], "rb") as stream:
            os.fsync(stream.fileno())
    for addr in there:
        with open(pycs[addr], "rb") as stream:
            digest = file_digest(stream)
        publish(pycs[addr], f"{layout.base}/{bytecode_name(tag, addr, digest)}")
    return len(there)


class StoredBytecode(NamedTuple):
    """A pyc: its name relative to the format directory, and its size in bytes."""

    name: str
    size: int


def bytecode_of(layers: Sequence[Layout], tag: str, addresses: Iterable[str]) -> dict[str, StoredBytecode]:
    """Return the bytecode of each of *addresses* that has some in one of *layers*."""
    wanted: dict[str, dict[str, str]] = {}  # shard -> rest of the digest -> address
    for addr in addresses:
        wanted.setdefault(addr[:2], {})[addr[2:64]] = addr
    found: dict[str, StoredBytecode] = {}
    owners = {layer: owner_of(layer.base) for layer in layers}
    for shard, rests in wanted.items():
        for layer in layers:
            directory = f"{BYTECODE.name}/{tag}/{shard}"
            for name in names_of(f"{layer.base}/{directory}"):
                addr = rests.get(name[:62], "")
                if addr and addr not in found and len(name) == _LENGTH:
                    with contextlib.suppress(OSError):
                        size = os.lstat(path := f"{layer.base}/{directory}/{name}").st_size
                        if intact(path, size=size, mtime=mtime_of(addr), owner=owners[layer]):  # else it is made again
                            found[addr] = StoredBytecode(f"{directory}/{name}", size)
    return found


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
