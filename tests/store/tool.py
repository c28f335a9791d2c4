"""What the tests of the store share: listings of a store, the wholeness of what is visible, children that add."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nox_linkenv.digest import EXECUTABLE_SUFFIX, mtime_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nox_linkenv.store import Manifest, Store

__all__ = ["as_nobody", "check_whole", "listing", "mount", "objects", "sha256", "start_child", "visible"]

ROOT: Final = Path(__file__).resolve().parents[2]
_NOBODY: Final = 65534

#: Says ``ready``, waits for a line, then adds: so that several can be let go at the same moment.
ADD: Final = """
import sys
from pathlib import Path
from nox_linkenv.store import Store
store = Store.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for name in sys.argv[2:]:
    store.add(Path(name))
"""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def listing(root: Path) -> dict[str, tuple[int, int, int, str]]:
    """Return mode, inode, mtime and digest of everything below *root*, but for the lock files, which stay for ever."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if "/locks/" in name:
            continue
        status = path.lstat()
        digest = sha256(path.read_bytes()) if stat.S_ISREG(status.st_mode) else ""
        mtime = 0 if path.is_dir() else status.st_mtime_ns  # staging came and went
        found[name] = (status.st_mode, status.st_ino, mtime, digest)
    return found


def objects(store: Store) -> dict[str, Path]:
    """Return the path of every visible object by its address."""
    base = Path(store.layout.base, "objects")
    return {path.parent.name + path.name: path for path in sorted(base.glob("*/*"))}


def visible(store: Store) -> list[Manifest]:
    """Return the manifests in the store, each of which can be read."""
    found = []
    for path in sorted(Path(store.layout.base, "wheels").glob("*/*")):
        manifest = store.manifest(path.parent.name + path.stem)
        assert manifest is not None, path
        assert manifest.digest == path.parent.name + path.stem
        found.append(manifest)
    return found


def check_whole(store: Store) -> None:
    """Check that everything visible is whole: objects are what their names say, manifests have all their objects."""
    found = objects(store)
    for addr, path in found.items():
        status = path.stat()
        executable = addr.endswith(EXECUTABLE_SUFFIX)
        assert sha256(path.read_bytes()) + (EXECUTABLE_SUFFIX if executable else "") == addr
        assert stat.S_IMODE(status.st_mode) == (0o755 if executable else 0o644), path
        assert status.st_mtime_ns == mtime_of(addr) * 10**9, path
    for manifest in visible(store):
        for file in manifest.files:
            assert found[file.address].stat().st_size == file.size, file.name


def start_child(store: Path, *wheels: Path) -> subprocess.Popen[str]:
    """Start a process which adds *wheels* to *store* once a line is written to it; it has said that it is ready."""
    child = subprocess.Popen(
        [sys.executable, "-c", ADD, str(store), *map(str, wheels)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None
    if child.stdout.readline() != "ready\n":
        raise AssertionError(child.communicate()[1])
    return child


def as_nobody(work: Callable[[], None]) -> str:
    """Do *work* in a forked process as the user nobody and return its traceback, empty where all went well.

    Forked, because the interpreter may be where nobody else can read it.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        text = "the work did not end"
        try:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
            os.umask(0o022)
            work()
            text = ""
        except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
            text = traceback.format_exc()
        finally:
            os.write(writer, text.encode()[-60_000:])
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return text


@contextmanager
def mount(*options: str | Path) -> Iterator[None]:
    """Mount with *options*, of which the last is the place, for as long as the context lasts."""
    subprocess.run(["mount", *options], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(options[-1])], check=True)
