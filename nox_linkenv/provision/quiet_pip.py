"""Running the pip of an environment that nobody looks at."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from nox_linkenv.env.interpreter.isolated import pip_command
from nox_linkenv.resolve.pip import observed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_linkenv.resolve.request import Request

__all__ = ["run_quietly"]


def run_quietly(prefix: str, request: Request, arguments: Sequence[str], record: str | None) -> bool:
    """Run pip of the environment at *prefix* with *arguments*, where *request* is made; return whether it succeeded.

    Args:
        record: the file that :func:`observed` wants.
    """
    done = subprocess.run(
        observed([*pip_command(f"{prefix}/bin/python"), *arguments], record),
        cwd=request.directory,
        env=dict(request.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0
