"""What a machine must be able to do for a test: probed, never guessed from its name.

A test asks with ``@pytest.mark.needs(Capability.BTRFS)`` or, half-way, with :func:`require`. Where the capability is
missing the test is skipped with the reason; with ``CI=true`` it fails, so that a green run always means all tests ran.
"""

from __future__ import annotations

import enum
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

from tests.support.interpreters import find_interpreters

__all__ = ["Capability", "missing", "on_ci", "require", "require_python"]


class Capability(enum.Enum):
    """Something a test needs of the machine."""

    ROOT = "the user is root"
    MOUNT = "filesystems can be mounted"
    LOOP = "an image file can be mounted (loop device, mkfs.ext4)"
    BTRFS = "btrfs can be made and mounted"
    XFS = "XFS with reflinks can be made and mounted"
    OVERLAY = "an overlay can be mounted"
    EXFAT = "exFAT, which has no links of any kind, can be made and mounted"
    HARDLINK = "the temporary directory has hard links"
    GIT = "git is installed"
    CC = "a C compiler makes libraries that are loaded before others (cc, Linux)"
    STRACE = "system calls of a process can be made to fail (strace)"
    NETWORK = "the package index answers"
    BROWSER = "chromium is installed"
    FISH = "the shell fish is installed"
    ZSH = "the shell zsh is installed"
    ZSTD = "Python has zstd (3.14), or backports.zstd is there"
    MOTO = "moto's server is installed, which speaks as S3 does"
    NGINX = "nginx is installed, with WebDAV"
    AZURITE = "azurite is installed, which speaks as Azure's storage does"
    REMOTE = "obstore, cryptography and zstd are installed"


def on_ci() -> bool:
    """Tell whether a missing capability is a failure."""
    return os.environ.get("CI", "").lower() in {"true", "1"}


def _run(*command: str | Path) -> str | None:
    """Run a command; return None when it succeeded, else the reason."""
    name = str(command[0])
    if shutil.which(name) is None:
        return f"{name} is not installed"
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    return None if done.returncode == 0 else f"{name} failed: {(done.stderr or done.stdout).strip()}"


def _mounted(*options: str | Path) -> str | None:
    with tempfile.TemporaryDirectory(prefix="linkenv-probe-") as directory:
        reason = _run("mount", *options, directory)
        return reason if reason is not None else _run("umount", directory)


def _filesystem(megabytes: int, *mkfs: str, kind: str | None = None) -> str | None:
    with tempfile.TemporaryDirectory(prefix="linkenv-probe-") as directory:
        image = Path(directory, "image")
        with image.open("wb") as stream:
            stream.truncate(megabytes << 20)
        reason = _run(*mkfs, image)
        return reason if reason is not None else _mounted(*(("-t", kind) if kind else ()), "-o", "loop", image)


def _overlay() -> str | None:
    with tempfile.TemporaryDirectory(prefix="linkenv-probe-") as directory:
        reason = _run("mount", "-t", "tmpfs", "tmpfs", directory)  # overlays do not stack on every filesystem
        if reason is not None:
            return reason
        try:
            lower, upper, work = (Path(directory, name) for name in ("lower", "upper", "work"))
            for path in (lower, upper, work):
                path.mkdir()
            return _mounted("-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}")
        finally:
            _run("umount", directory)


def _hardlink() -> str | None:
    with tempfile.TemporaryDirectory(prefix="linkenv-probe-") as directory:
        source = Path(directory, "a")
        source.touch()
        try:
            Path(directory, "b").hardlink_to(source)
        except OSError as error:
            return str(error)
    return None


def _nginx() -> str | None:
    if (reason := _run("nginx", "-V")) is not None:
        return reason
    built = subprocess.run(["nginx", "-V"], check=False, capture_output=True, text=True).stderr
    return None if "http_dav_module" in built else "nginx is built without its module for WebDAV"


def _network() -> str | None:
    # A name look-up is not enough: the index may only be reached through a proxy. pip knows the way.
    with tempfile.TemporaryDirectory(prefix="linkenv-probe-") as directory:
        interpreter = next(reversed(find_interpreters().values()))
        reason = _run(interpreter, "-m", "venv", directory)
        if reason is not None:
            return reason
        pip = Path(directory, "bin", "python")
        return _run(pip, "-m", "pip", "download", "-q", "--no-deps", "--no-cache-dir", "-d", directory, "iniconfig")


@functools.cache
def missing(capability: Capability) -> str | None:
    """Return None when the machine has the capability, else why it does not. Probed once in a process."""
    match capability:
        case Capability.ROOT:
            return None if os.geteuid() == 0 else "the user is not root"
        case Capability.MOUNT:
            return _mounted("-t", "tmpfs", "tmpfs")
        case Capability.LOOP:
            return _filesystem(8, "mkfs.ext4", "-q", "-F")
        case Capability.BTRFS:
            return _filesystem(128, "mkfs.btrfs", "-q", "-f")
        case Capability.XFS:
            return _filesystem(320, "mkfs.xfs", "-q", "-f", "-m", "reflink=1")
        case Capability.EXFAT:
            return _filesystem(32, "mkfs.exfat", kind="exfat-fuse")
        case Capability.OVERLAY:
            return _overlay()
        case Capability.HARDLINK:
            return _hardlink()
        case Capability.GIT:
            return _run("git", "--version")
        case Capability.STRACE:
            return _run("strace", "-qq", "-o", os.devnull, "-e", "inject=getppid:error=EIO", sys.executable, "-Sc", "")
        case Capability.CC:
            return _run("cc", "--version") if sys.platform == "linux" else "this is not Linux"
        case Capability.BROWSER:
            return _run("chromium", "--version")
        case Capability.FISH:
            return _run("fish", "--version")
        case Capability.ZSH:
            return _run("zsh", "--version")
        case Capability.ZSTD:
            there = find_spec("compression") or (find_spec("backports") and find_spec("backports.zstd"))
            return None if there else "neither compression.zstd nor backports.zstd is there"
        case Capability.MOTO:
            lacking = [name for name in ("moto", "flask_cors") if find_spec(name) is None]
            return f"{lacking[0]} is not installed" if lacking else None
        case Capability.NGINX:
            return _nginx()
        case Capability.AZURITE:
            return _run("azurite-blob", "--version")
        case Capability.REMOTE:
            lacking = [name for name in ("obstore", "cryptography") if find_spec(name) is None]
            return f"{lacking[0]} is not installed" if lacking else missing(Capability.ZSTD)
        case Capability.NETWORK:
            return _network()


def _lacks(what: str, reason: str) -> NoReturn:
    message = f"needs that {what}: {reason}"
    if on_ci():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def require(*capabilities: Capability) -> None:
    """Skip the running test (with ``CI=true``: fail it) unless the machine has every one of the capabilities."""
    for capability in capabilities:
        if (reason := missing(capability)) is not None:
            _lacks(capability.value, reason)


def require_python(version: str) -> Path:
    """Return the interpreter of the target version such as ``"3.9"``; skip (with ``CI=true``: fail) without it."""
    interpreters = find_interpreters()
    if version not in interpreters:
        _lacks(f"Python {version} is installed", f"found {', '.join(interpreters)}")
    return interpreters[version]
