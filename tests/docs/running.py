"""Running what the documentation shows."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.docs.pages import Block

__all__ = ["run_block", "run_command"]


def run_block(block: Block, host: str, directory: Path, environ: Mapping[str, str]) -> str:
    """Run the command of *host* that *block* names, with this interpreter, and return its output."""
    assert block.argument is not None
    command = shlex.split(block.argument.replace("{python}", "{}.{}".format(*sys.version_info[:2])))
    assert command[0] == host
    return run_command([sys.executable, "-m", *command], directory, environ)


def run_command(command: Sequence[str], directory: Path, environ: Mapping[str, str]) -> str:
    """Run *command*, which must succeed, and return its output."""
    done = subprocess.run(
        command,
        cwd=directory,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
