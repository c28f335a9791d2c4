"""What the script for the newest interpreters says where it cannot make their root."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.shared import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_SCRIPT = ROOT / ".ci/newest"
_TOOLS = ("bash", "cat", "dirname", "flock", "id", "mkdir", "true", "uname", "unshare")


def _run(tools: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    for name in _TOOLS:
        (tools / name).symlink_to(shutil.which(name) or f"/no/{name}")
    return subprocess.run(
        [str(tools / "bash"), str(_SCRIPT), *arguments],
        env={"PATH": str(tools), "HOME": str(tools), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(("variables", "code"), [({}, 0), ({"CI": "false"}, 0), ({"CI": "true"}, 1)])
def test_what_is_missing_is_told_and_fails_continuous_integration(
    tmp_path: Path, variables: dict[str, str], code: int
) -> None:
    """Without apt-get and mmdebstrap nothing can be made; where the rights are missing, they are named first."""
    done = _run(tmp_path, **variables)
    assert done.stderr.startswith("Python 3.14 and 3.15 were not tested: ")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (code, "", 1)
    assert not list(tmp_path.rglob("made-of"))


def test_what_it_can_do_is_told(tmp_path: Path) -> None:
    shutil.copy(shutil.which("sed") or "", tmp_path)
    done = _run(tmp_path, "no-such-thing")
    assert done.returncode == 2
    assert "matrix HOST:TARGET" in done.stderr
