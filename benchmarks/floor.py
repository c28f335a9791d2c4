"""The floor: the bare mkdir and ``os.link`` loop over a tree, with bytecode and without. Run in a process of its own.

Usage: ``python floor.py SOURCE DESTINATION``: DESTINATION must not exist and is removed again. Prints JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time


def floor(source: str, destination: str, *, bytecode: bool) -> dict[str, float | int]:
    """Link all files below ``source`` into ``destination``: {"seconds", "files", "directories"}.

    The lists are made, and the paths joined, before the clock starts; files that cannot be hardlinks are left out.
    """
    directories = [destination]
    files: list[tuple[str, str]] = []
    for folder, names, members in os.walk(source):
        names[:] = [name for name in names if bytecode or name != "__pycache__"]
        target = destination + folder[len(source) :]
        directories.extend(f"{target}/{name}" for name in names)
        files.extend((f"{folder}/{name}", f"{target}/{name}") for name in members)
    files = [(old, new) for old, new in files if not os.path.islink(old)]
    start = time.perf_counter()
    for directory in directories:
        os.mkdir(directory)
    for old, new in files:
        os.link(old, new)
    seconds = time.perf_counter() - start
    shutil.rmtree(destination)
    return {"seconds": seconds, "files": len(files), "directories": len(directories)}


if __name__ == "__main__":
    every = floor(sys.argv[1], sys.argv[2], bytecode=True)
    print(json.dumps({"all": every, "without_bytecode": floor(sys.argv[1], sys.argv[2], bytecode=False)}))
