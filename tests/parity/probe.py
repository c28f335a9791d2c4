"""Run by an environment's own python: prints, as JSON, how importlib.metadata sees the environment."""

from __future__ import annotations

import importlib.metadata
import json


def _files(dist: importlib.metadata.Distribution) -> list[str]:
    """The files of a distribution with digest and size, those of bytecode and of INSTALLER aside."""
    found = []
    for file in dist.files or []:
        if file.name.endswith((".pyc", "__pycache__")):
            continue
        known = file.hash and file.name != "INSTALLER"
        found.append(f"{file} {file.hash.mode}={file.hash.value} {file.size}" if known else str(file))  # type: ignore[union-attr]
    return sorted(found)


def _view(dist: importlib.metadata.Distribution) -> dict[str, object]:
    return {
        "version": dist.version,
        "requires": sorted(dist.requires or []),
        "metadata": sorted(f"{key}: {dist.metadata.get_all(key)}" for key in set(dist.metadata)),
        "entry points": sorted(f"{point.group}: {point.name} = {point.value}" for point in dist.entry_points),
        "direct_url": dist.read_text("direct_url.json"),
        "requested": dist.read_text("REQUESTED") is not None,
        "top level": dist.read_text("top_level.txt"),
        "files": _files(dist),
    }


print(json.dumps({dist.metadata["Name"]: _view(dist) for dist in importlib.metadata.distributions()}))
