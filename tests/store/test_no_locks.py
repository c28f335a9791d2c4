"""A filesystem whose server refuses locks, as NFS may: one message that says what to do, and nothing installed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.tool import linkenv
from tests.provision.conftest import _plain_process, here, make_site
from tests.provision.tool import put_wheel
from tests.support.capabilities import Capability

if TYPE_CHECKING:
    from tests.provision.tool import Site

__all__ = ["_plain_process", "here", "make_site"]


@pytest.mark.needs(Capability.STRACE)
def test_refused_locks_are_said_with_what_to_do(here: Site) -> None:
    put_wheel(here.wheels, "one", one__py="VALUE = 1\n")
    prefix = here.project / "environment"
    arguments = ["create", "--python", str(here.interpreter), "--with", "one", str(prefix)]
    refusing = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:error=ENOLCK"]
    done = subprocess.run(
        [*refusing, sys.executable, "-m", "nox_linkenv", *arguments],
        cwd=here.project,
        env={**here.environ, "LINKENV_STORE": str(here.store)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "No locks available" in done.stderr
    assert "mount NFS in version 4 and without nolock" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(prefix.rglob("one.py")) == []
    linkenv(here, *arguments)
    subprocess.run([prefix / "bin" / "python", "-c", "import one"], check=True)
