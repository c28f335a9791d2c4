"""Storing a wheel: every file is streamed, checked against RECORD, and shown only when all of them are whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from typing import TYPE_CHECKING

from nox_linkenv.digest import address, mtime_of
from nox_linkenv.store.files import create, make_directory, publish, staging_name
from nox_linkenv.store.layout import object_name
from nox_linkenv.store.manifest import Manifest, StoredFile
from nox_linkenv.store.objects import discard_changed, finish, intact, owner_of
from nox_linkenv.wheel.model import Scheme, WheelFile
from nox_linkenv.wheel.reader import Wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nox_linkenv.store.layout import Layout

__all__ = ["store_wheel"]


def store_wheel(layout: Layout, path: Path, digest: str) -> Manifest:
    """Put the objects of the wheel at *path* into the store and return its manifest, which is not yet published.

    Args:
        digest: hexadecimal SHA-256 of the archive.

    Raises:
        WheelError: the wheel is hostile, broken or odd; the store is as it was.
        OSError: the store cannot be written; the store is as it was.
    """
    staging = staging_name(layout.staging)
    make_directory(staging)
    try:
        with Wheel.open(path) as wheel:
            staged = [_stage(layout, staging, wheel, file) for file in wheel.files]
            manifest = Manifest(
                digest=digest,
                name=wheel.name,
                version=wheel.version,
                dist_info=wheel.dist_info,
                root_is_purelib=wheel.root_is_purelib,
                files=tuple(file for file, _ in staged),
                record=wheel.record,
                entry_points=wheel.entry_points,
                unhashed=wheel.unhashed,
            )
        for file, temporary in staged:
            if temporary is not None:
                with contextlib.suppress(FileNotFoundError):  # the same content twice in one wheel
                    publish(temporary, layout.object(file.address))
        return manifest
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _stage(layout: Layout, staging: str, wheel: Wheel, file: WheelFile) -> tuple[StoredFile, str | None]:
    """Verify one file; where the store has no intact object of it, leave a finished one in *staging*."""
    blocks = wheel.read(file)
    if file.digest is not None:
        addr = address(file.digest, executable=file.executable)
        discard_changed(layout, [object_name(addr)])
        if intact(layout.object(addr), size=file.size, mtime=mtime_of(addr), owner=owner_of(layout.base)):
            return _stored(file, addr, _first(blocks)), None
    temporary = os.path.join(staging, hashlib.sha256(file.name.encode()).hexdigest()[:32])
    digest = hashlib.sha256()
    head = b""
    with create(temporary) as stream:
        for block in blocks:
            head = head or block[:16]
            digest.update(block)
            stream.write(block)
    addr = address(digest.hexdigest(), executable=file.executable)
    finish(temporary, executable=file.executable, mtime=mtime_of(addr))
    final = os.path.join(staging, addr)
    os.replace(temporary, final)
    return _stored(file, addr, head), final


def _first(blocks: Iterator[bytes]) -> bytes:
    """Read all *blocks*, which verifies them, and return the first bytes."""
    head = b""
    for block in blocks:
        head = head or block[:16]
    return head


def _stored(file: WheelFile, addr: str, head: bytes) -> StoredFile:
    shebang = file.scheme is Scheme.SCRIPTS and head.startswith(b"#!python")
    return StoredFile(file.name, file.scheme, file.path, addr, file.size, shebang)
