"""``python -m benchmarks.shares``: what one store takes for four Pythons, against uv's cache after the same installs.

Sources are compared: objects here, the whole cache there. Bytecode, which uv does not keep, is a line of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "matplotlib", "pillow")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
TARGET = 0.65


@dataclass(slots=True)
class Size:
    """Bytes of a directory: of the files' content, and of their blocks, every inode once."""

    files: int = 0
    apparent: int = 0
    disk: int = 0


def measure(root: Path) -> Size:
    found, seen = Size(), set()
    for top, _, names in os.walk(root):
        for name in names:
            status = os.lstat(os.path.join(top, name))
            if status.st_ino not in seen:
                seen.add(status.st_ino)
                found.files += 1
                found.apparent += status.st_size
                found.disk += status.st_blocks * 512
    return found


def install(work: Path, python: str, packages: list[str]) -> None:
    """Install the packages once with uv and once from the store, into environments that are then removed."""
    environ = {**os.environ, "UV_CACHE_DIR": str(work / "uv"), "LINKENV_STORE": str(work / "store")}
    environ["LINKENV_SPARES"] = "0"
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    place = work / f"env-{python}"
    interpreter = shutil.which(f"python{python}") or python
    for command in (
        ["uv", "venv", "-q", "--clear", "--python", interpreter, str(place)],
        ["uv", "pip", "install", "-q", "--python", str(place / "bin" / "python"), *packages],
    ):
        subprocess.run(command, env=environ, check=True, stdin=subprocess.DEVNULL)
    pinned = subprocess.run(
        ["uv", "pip", "freeze", "--python", str(place / "bin" / "python")],
        env=environ,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    shutil.rmtree(place)
    wanted = [word for requirement in pinned for word in ("--with", requirement)]
    command = [sys.executable, "-m", "nox_linkenv", "run", "--python", interpreter, *wanted, "--", "python", "-c"]
    subprocess.run([*command, "import " + ", ".join(IMPORTS)], env=environ, check=True, stdin=subprocess.DEVNULL)


IMPORTS = ("numpy", "scipy", "pandas", "sklearn", "matplotlib.pyplot", "PIL.Image")


def main() -> int:
    made = argparse.ArgumentParser("benchmarks.shares", description=__doc__)
    made.add_argument("--python", action="append", metavar="X.Y", help="may be repeated (3.10 to 3.13)")
    made.add_argument("--package", action="append", metavar="REQ", help=f"may be repeated ({' '.join(PACKAGES)})")
    made.add_argument("--work", type=Path, default=Path(".benchmarks/shares"), metavar="DIR", help="work directory")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    arguments = made.parse_args()
    work: Path = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    for python in arguments.python or PYTHONS:
        print(f"installing for Python {python}", file=sys.stderr, flush=True)
        install(work, python, arguments.package or list(PACKAGES))
    ours, theirs = measure(work / "store" / "v2" / "objects"), measure(work / "uv")
    bytecode = measure(work / "store" / "v2" / "bytecode")
    print("| | files | bytes | on the disk |\n|---|---|---|---|")
    for name, size in (("objects of the store", ours), ("uv's cache", theirs), ("bytecode of the store", bytecode)):
        print(f"| {name} | {size.files:,} | {size.apparent / 1e6:,.1f} MB | {size.disk / 1e6:,.1f} MB |")
    print(f"\nobjects / cache: {ours.apparent / theirs.apparent:.3f} of the bytes,", end=" ")
    print(f"{ours.disk / theirs.disk:.3f} on the disk (target: {TARGET})")
    if arguments.json:
        figures = {
            name: {"files": size.files, "bytes": size.apparent, "disk": size.disk}
            for name, size in (("objects", ours), ("uv", theirs), ("bytecode", bytecode))
        }
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
