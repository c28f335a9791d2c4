"""Trying what the filesystems allow, between the very directories that matter."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nox_linkenv.linking import LinkMode, link_files

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Links", "probe_links", "scratch"]


@dataclass(frozen=True, slots=True)
class Links:
    """What a trial link gave.

    Args:
        wanted: the setting.
        used: what files would be made by; ``None`` where nothing can be written.
        reason: why it is not what was wanted, or ``None``.
    """

    wanted: LinkMode
    used: LinkMode | None
    reason: str | None

    def to_json(self) -> dict[str, Any]:
        return {"link_mode": None if self.used is None else self.used.value, "why": self.reason}

    def explain(self) -> str:
        if self.used is None:
            return f"nothing can be linked here: {self.reason}"
        if self.reason is None:
            return f"{self.used.value}, as the setting says"
        return f"{self.used.value} instead of {self.wanted.value}, because {self.reason}"


def probe_links(store: str, directory: str, mode: LinkMode) -> Links:
    """Link one file from the directory *store* into *directory* and say what came of it."""
    try:
        with scratch(store) as source, scratch(directory) as target:
            path = os.path.join(source, "file")
            with open(path, "xb") as stream:
                stream.write(b"probe")
            os.chmod(path, 0o644)
            os.utime(path, (1, 1))
            report = link_files([path], [os.path.join(target, "file")], [5], [1], mode=mode)
    except OSError as error:
        return Links(mode, None, f"{error.filename} cannot be written ({error.strerror})")
    if report.copied and mode is not LinkMode.COPY:
        return Links(mode, LinkMode.COPY, next(iter(report.copied)))
    return Links(mode, mode, None)


@contextlib.contextmanager
def scratch(directory: str) -> Iterator[str]:
    """Make a directory in *directory* for as long as the context lasts."""
    import shutil

    path = os.path.join(directory, f".linkenv-probe-{secrets.token_hex(4)}")
    os.mkdir(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
