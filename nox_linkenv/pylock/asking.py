"""Asking pip where distributions that stand in an environment come from, when no answer of it is remembered."""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_linkenv.errors import EnvError, ResolutionError
from nox_linkenv.pylock.sources import Source, source_of
from nox_linkenv.resolve.report import parse_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_linkenv.pylock.standing import Part

__all__ = ["ask"]


def ask(prefix: str, parts: Sequence[Part]) -> dict[str, Source]:
    """Return where the environment's own pip would have exactly these *parts* from, by name.

    Nothing is installed. pip's configuration and variables count; options of the session are not known here.

    Raises:
        EnvError: pip could not say.
        ResolutionError: its report cannot be read, or it names other files than those that were linked.
    """
    python = os.path.join(prefix, "bin", "python")
    with tempfile.TemporaryDirectory() as directory:
        report = os.path.join(directory, "report.json")
        options = ["--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--report", report]
        wanted = [f"{part.name}=={part.version}" for part in parts]
        done = subprocess.run(
            [python, "-m", "pip", "install", *options, *wanted],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not os.path.exists(report):
            raise EnvError(
                f"pip cannot say where {', '.join(wanted)} is from ({done.stderr.strip()})",
                path=prefix,
                remedy="Give pip the index in its configuration or in PIP_INDEX_URL, as the session had it.",
            )
        with open(report, encoding="utf-8") as stream:
            resolved = parse_report(stream.read())
    wheels = {part.name: part.wheel for part in parts}
    found: dict[str, Source] = {}
    for item in resolved:
        source = source_of(item.requirement())
        name = canonicalize_name(item.name)
        linked = wheels.get(name)
        if source is None or (source.is_wheel and linked not in (None, source.sha256)):
            raise ResolutionError(
                f"pip would have {item.name} {item.version} from another file than the one that stands there",
                path=prefix,
                remedy="Have the session run anew, so that its environment has what the index has now.",
            )
        found[name] = source
    return found
