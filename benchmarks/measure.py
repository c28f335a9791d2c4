"""Single measurements: allocated bytes of trees, background processes, and facts about the machine."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STRIPPED_PREFIXES = ("PIP_", "UV_", "NOX_", "LINKENV_", "VIRTUALENV_", "PYTHON", "TOX_")
STRIPPED = frozenset({"VIRTUAL_ENV", "CONDA_PREFIX", "FORCE_COLOR", "NO_COLOR", "XDG_CONFIG_HOME"})
KEPT = frozenset({"PIP_CERT", "PIP_CLIENT_CERT", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS"})  # certificates are the machine's


def neutral_environment() -> dict[str, str]:
    """This process's environment without anything that configures Python, pip, uv, nox or this project."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or not (name.startswith(STRIPPED_PREFIXES) or name in STRIPPED)
    }


def seconds_of(command: list[str], directory: Path, environ: Mapping[str, str]) -> tuple[float, str]:
    """Run *command* to its end, which has to be a good one; return the seconds and what it said."""
    began = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=directory,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    taken = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}\n{done.stdout}")
    return taken, done.stdout


def worked() -> float:
    """Return the seconds of processors of all processes that this one has waited for, and of theirs."""
    import resource  # not on Windows

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def allocated(trees: Iterable[Path]) -> tuple[int, int]:
    """Bytes that the file system has allocated below ``trees``, each inode counted once: (all, without directories).

    Shared extents (clones) cannot be told apart by stat(2) and are counted for each file.
    """
    seen: set[tuple[int, int]] = set()
    total = files = 0
    pending = [str(tree) for tree in trees]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if (key := (status.st_dev, status.st_ino)) not in seen:
                        seen.add(key)
                        size = getattr(status, "st_blocks", -(-status.st_size // 512)) * 512
                        total += size
                        files += 0 if entry.is_dir(follow_symlinks=False) else size
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except FileNotFoundError:
            continue
    return total, files


def await_quiet(marker: str, timeout: float = 600.0) -> float:
    """Wait until no process carries ``marker`` in its environment, so that work left in the background (byte-compiling,
    removals) burdens the session that started it and not the next peer's. Returns the seconds waited; Linux only.
    """
    start = time.monotonic()
    needle = marker.encode()
    while time.monotonic() - start < timeout and any(needle in _environ(path) for path in Path("/proc").glob("[0-9]*")):
        time.sleep(0.1)
    return time.monotonic() - start


def _environ(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:  # gone meanwhile, or another user's
        return b""


def file_system(path: Path) -> str:
    """The type of the file system that holds ``path`` (proc(5), mounts), or "unknown"."""
    best, kind = -1, "unknown"
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return kind
    for line in mounts:
        _, point, fs_type, *_ = line.split(" ")
        if path.resolve().is_relative_to(point) and len(point) > best:
            best, kind = len(point), fs_type
    return kind


def facts(work: Path) -> dict[str, str]:
    """Machine, file system and versions; nothing that names the host, its user or its paths."""
    known = {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "processors": str(os.cpu_count()),
        "file system": file_system(work),
        "Python of nox": f"{platform.python_implementation()} {platform.python_version()}",
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        known["memory"] = f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    for name in ("nox-linkenv", "nox", "virtualenv", "uv"):
        try:
            known[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            known[name] = "not installed"
    return known


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def site_packages(environment: Path) -> Path | None:
    """The site-packages directory of a finished environment, or None."""
    patterns = ("lib/python*/site-packages", "Lib/site-packages")  # POSIX, Windows
    return next((path for pattern in patterns for path in environment.glob(pattern)), None)


def distributions(environment: Path) -> dict[str, str]:
    """Name and version of all installed distributions, by their ``.dist-info`` directories."""
    site = site_packages(environment)
    found = site.glob("*.dist-info") if site else ()
    return dict(sorted(path.name.removesuffix(".dist-info").lower().split("-", 1) for path in found))
