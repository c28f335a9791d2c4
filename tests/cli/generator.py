"""A store of any number of objects, made in seconds: real names, real manifests, no content."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from nox_linkenv.store import Store
from nox_linkenv.store.layout import WHEELS, object_name
from nox_linkenv.store.notes import seal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["generate"]


def generate(root: Path, count: int, *, each: int = 500, time: float) -> Store:
    """Make a store at *root* of *count* empty objects in manifests of *each*, all last used at *time*."""
    store = Store.open(root)
    base = store.layout.base
    for number in range(256):
        os.makedirs(f"{base}/objects/{number:02x}", exist_ok=True)
        os.makedirs(f"{base}/wheels/{number:02x}", exist_ok=True)
    flags = os.O_CREAT | os.O_WRONLY
    for start in range(0, count, each):
        files = []
        for number in range(start, start + each):
            addr = hashlib.sha256(b"%d" % number).hexdigest()
            os.close(os.open(f"{base}/{object_name(addr)}", flags, 0o644))
            files.append(
                [f"package{start}/module{number}.py", "purelib", f"package{start}/module{number}.py", addr, 0, False]
            )
        digest = hashlib.sha256(b"wheel %d" % start).hexdigest()
        name = f"generated{start}"
        manifest = {
            "digest": digest,
            "name": name,
            "version": "1.0",
            "dist_info": f"{name}-1.0.dist-info",
            "root_is_purelib": True,
            "files": files,
            "record": [],
            "entry_points": [],
        }
        path = store.layout.manifest(digest)
        with open(path, "wb") as stream:
            stream.write(seal(WHEELS.file(digest), json.dumps(manifest, separators=(",", ":"))))
        os.utime(path, (time, time))
    return store
