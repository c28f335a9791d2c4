"""What pip asks about the machine for the sake of statistics, answered at once.

Before its first word with an index pip runs ``rustc --version`` and ``lsb_release -a``, to be sent in its User-Agent.
No index of these tests reads it, and the two take a tenth to a third of the time of such a pip. Where they are on
PATH, programs that end at once and print nothing are found before them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Final

from tests.support.environment import steady_base

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["describe_at_once"]

_ASKED: Final = ("rustc", "lsb_release")


def describe_at_once(environ: MutableMapping[str, str]) -> None:
    """Have pip processes with *environ* find out nothing about rustc and the distribution."""
    answer = shutil.which("true", path=os.defpath)
    if answer is None:  # another system
        return
    place = steady_base() / "describing"
    place.mkdir(parents=True, exist_ok=True)
    for name in _ASKED:
        if shutil.which(name, path=environ.get("PATH")) is not None:
            with contextlib.suppress(FileExistsError):  # by another worker, or an earlier run
                (place / name).symlink_to(answer)
    environ["PATH"] = f"{place}{os.pathsep}{environ.get('PATH', os.defpath)}"
