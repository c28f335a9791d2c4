"""Where version control systems are told what to do, apart from the repository."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["configuration_files"]


def configuration_files(name: str, directory: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the files outside of repositories in which git or Mercurial are told what to do.

    Args:
        name: ``git`` or ``hg``.
        directory: absolute path of the directory that it is run in.
        environ: the variables that it runs with.

    Sources: git-config(1), gitignore(5), gitattributes(5), hgrc(5).
    """
    home = environ.get("HOME") or os.path.expanduser("~")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    if name == "hg":
        yield from (os.path.join(home, ".hgrc"), os.path.join(config, "hg", "hgrc"), "/etc/mercurial/hgrc")
        return
    yield from (os.path.join(home, ".gitconfig"), "/etc/gitconfig")
    yield from (os.path.join(config, "git", part) for part in ("config", "ignore", "attributes"))
    command = ["git", "config", "--list", "--show-origin", "--includes", "-z"]
    with contextlib.suppress(OSError):
        done = subprocess.run(
            command, cwd=directory, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        fields = os.fsdecode(done.stdout).split("\0")
        for origin, setting in zip(fields[::2], fields[1::2], strict=False):
            file = os.path.join(directory, origin.removeprefix("file:"))
            if origin.startswith("file:"):
                yield file
            key, _, value = setting.partition("\n")
            included = key.startswith("include") and key.endswith(".path")
            if included or key in ("core.excludesfile", "core.attributesfile"):
                value = os.path.join(home, value[2:]) if value.startswith("~/") else value
                yield os.path.join(os.path.dirname(file) if included else directory, value)
