"""All hostile and odd wheels, one after the other: what pip makes of them and what is made of them here, in bounds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.env.tool import virtualenv
from tests.support.environment import clean_environment
from tests.support.odd_wheels import LEFT, STORED, OddWheel
from tests.support.shared import ROOT
from tests.support.wheels import HOSTILE, HostileWheel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.reliability import Reliability

#: Bytes of memory, for all of them in one process; and seconds of the processor, for each.
_MEMORY: Final = 200 << 20
_SECONDS: Final = 10.0
#: What becomes of the wheels here, by the list they are in.
_KINDS: Final[dict[str, Sequence[HostileWheel | OddWheel]]] = {
    "refused": HOSTILE,
    "left to pip": LEFT,
    "stored": STORED,
}
_HERE: Final = """
import json, sys, time
from pathlib import Path
from nox_linkenv.env.planning import CollisionError, Installable, make_plan
from nox_linkenv.errors import UnsupportedWheelError, WheelError
from nox_linkenv.store import Store
from tests.env.tool import FACTS
store, outcomes = Store.open(sys.argv[1]), []
for wheel in json.load(sys.stdin):
    began = time.process_time()
    try:
        make_plan([Installable(store.add(Path(wheel)), requested=True)], FACTS)
        outcome = "stored"
    except (UnsupportedWheelError, CollisionError):
        outcome = "left to pip"
    except WheelError:
        outcome = "refused"
    outcomes.append((outcome, time.process_time() - began))
lines = [line.split(":", 1) for line in open("/proc/self/status")] if sys.platform == "linux" else []
peak = next((int(value.split()[0]) << 10 for name, value in lines if name == "VmHWM"), 0)
print(json.dumps({"outcomes": outcomes, "peak": peak}))
"""
_PIP: Final = """
import contextlib, json, os, sys
from pip._internal.cli.main import main
outcomes = []
for number, wheel in enumerate(json.load(sys.stdin)):
    command = ["install", "-qqq", "--no-deps", "--no-index", "--no-compile", "--no-cache-dir", "--ignore-installed"]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        outcomes.append(main([*command, "--prefix", f"{sys.argv[1]}/{number}", wheel]))
print(json.dumps({"outcomes": outcomes}))
"""


@pytest.fixture
def wheels(tmp_path: Path) -> list[tuple[str, str, str]]:
    """Return id, what is to become of it, and path of each."""
    found = []
    for kind, odd in _KINDS.items():
        for number, wheel in enumerate(odd):
            directory = tmp_path / f"{kind}-{number}"
            directory.mkdir()
            found.append((wheel.id, kind, str(wheel.build(directory))))
    return found


def _run(python: object, code: str, *arguments: object, wheels: list[tuple[str, str, str]], **environ: str) -> Any:
    done = subprocess.run(
        [str(python), "-c", code, *map(str, arguments)],
        input=json.dumps([path for _, _, path in wheels]),
        env={**clean_environment(), **environ},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_beside_pip(
    tmp_path: Path, wheels: list[tuple[str, str, str]], interpreters: dict[str, Path], reliability: Reliability
) -> None:
    assert len(wheels) >= 60
    here = _run(sys.executable, _HERE, tmp_path / "store", wheels=wheels, PYTHONPATH=str(ROOT))
    outcomes = [(name, outcome) for (name, _, _), (outcome, _) in zip(wheels, here["outcomes"], strict=True)]
    assert outcomes == [(name, kind) for name, kind, _ in wheels]
    slow = [name for (name, _, _), (_, seconds) in zip(wheels, here["outcomes"], strict=True) if seconds > _SECONDS]
    assert slow == []
    assert here["peak"] < _MEMORY
    virtualenv(tmp_path / "env", interpreters["3.12"])
    pip = _run(tmp_path / "env" / "bin" / "python", _PIP, tmp_path / "to", wheels=wheels)
    counts: Counter[tuple[str, bool]] = Counter()
    for (_, kind, _), code in zip(wheels, pip["outcomes"], strict=True):
        counts[kind, code == 0] += 1
    assert counts["stored", False] == 0, "pip installs what is stored here"
    for kind, odd in _KINDS.items():
        most = max(spent for (_, this, _), (_, spent) in zip(wheels, here["outcomes"], strict=True) if this == kind)
        reliability("wheels", (kind, len(odd), counts[kind, True], counts[kind, False], f"{most * 1000:.0f} ms", 0))
    reliability("wheels", ("all, in one process", len(wheels), "", "", f"{here['peak'] >> 20} MiB", 0))
