"""Whatever operation a process is killed at, or refused by the system, the next run is right, and the store is well.

Here are what other programs do for it: pip, virtualenv, compilers, tar.  All that is done by a process itself is in
``test_every_call``, at a tenth of the time.
"""

from __future__ import annotations

import datetime
import math
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.cli.tool import linkenv
from tests.maintenance.faults import Fault, Ground, Operation, contents
from tests.support.capabilities import Capability
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.tool import Site
    from tests.support.reliability import Reliability

pytestmark = pytest.mark.needs(Capability.STRACE)

#: Seconds for one operation; ``--thorough`` has all tried. Other days begin with other calls.
_WITHIN: Final = 25.0


def _wheels(site: Site) -> None:
    make_wheel(site.wheels, "tiny", "1.0", {"tiny/__init__.py": b"V = 1\n", "tiny/more.py": b"W = 2\n" * 40})
    make_wheel(site.wheels, "other", "1.0", {"other/__init__.py": b"O = 1\n", "other/more.py": b"O = 2\n" * 50})


def _linkenv(site: Site, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "nox_linkenv", *arguments)


def _create(site: Site) -> tuple[str, ...]:
    return _linkenv(site, "create", site.place().prefix, "--python", str(site.interpreter), "--with", "tiny")


def _environ(site: Site, **more: str) -> dict[str, str]:
    return {**site.environ, "LINKENV_STORE": str(site.store), **more}


def _session(site: Site, *, times: int = 1) -> None:
    for _ in range(times):
        site.place().session(["tiny"], run="import tiny.more, pip")


def _gone(site: Site) -> None:
    shutil.rmtree(site.place().prefix)


def _storing(site: Site) -> Operation:
    """The wheel is not stored yet; pip is asked."""
    return Operation(_create(site), _environ(site), makes=True)


def _linking(site: Site) -> Operation:
    """All is stored, and nothing stands there."""
    _session(site)
    subprocess.run(_create(site), env=_environ(site), stdout=subprocess.DEVNULL, check=True)  # finds the interpreter
    linkenv(site, "wait")
    _gone(site)
    shutil.rmtree(site.base / "spares", ignore_errors=True)
    return Operation(_create(site), _environ(site), makes=True)


def _upkeep(site: Site) -> Operation:
    """What is done in the background after a session: compiling, making trees ahead, emptying trash."""
    _session(site)
    place = site.place()
    environment = place.environment()
    place.create(environment)
    place.install(environment, "tiny")
    place.run("import tiny.more, pip")
    shutil.rmtree(site.base / "spares", ignore_errors=True)
    shutil.rmtree(site.base / "bytecode", ignore_errors=True)
    tasks = environment.end_session(site.environ).tasks
    assert tasks.compile
    assert tasks.prebuilds
    assert tasks.trash
    command = (sys.executable, "-m", "nox_linkenv.maintenance.background", str(site.store))
    return Operation(command, _environ(site), standing=True, told=False, stdin=tasks.dumps().encode())


def _capturing(site: Site) -> Operation:
    """The store knows nothing: virtualenv is asked what it makes."""
    shutil.rmtree(site.store)
    return Operation(_create(site), _environ(site), makes=True)


def _unpacking(site: Site) -> Operation:
    """A store comes out of an archive, as jobs restore it."""
    _session(site, times=2)
    _gone(site)
    archive = str(site.root / "store.tar")
    subprocess.run(["tar", "-cf", archive, "-C", str(site.root), "store"], check=True)
    shutil.rmtree(site.store)
    return Operation(("tar", "-xf", archive, "-C", str(site.root)), _environ(site), told=False)


OPERATIONS: Final[dict[str, Callable[[Site], Operation]]] = {
    make.__name__[1:]: make
    for make in (
        _storing,
        _linking,
        _upkeep,
        _capturing,
        _unpacking,
    )
}


def _ground(site: Site, name: str) -> Ground:
    _wheels(site)
    place = site.place()
    want = {}
    if name not in ("storing", "capturing"):
        _session(site)
        want = contents(type(site.root)(place.prefix))
    operation = OPERATIONS[name](site)
    ground = Ground(site, operation, site.root / "kept", want)
    ground.keep()
    if not want:
        _session(site)
        want.update(contents(ground.prefix))
    return ground


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_at_calls(here: Site, name: str, request: pytest.FixtureRequest, reliability: Reliability) -> None:
    ground = _ground(here, name)
    calls = ground.calls()
    assert len(calls) >= 8
    within = math.inf if request.config.getoption("--thorough") else _WITHIN
    start = datetime.datetime.now(datetime.timezone.utc).date().toordinal() * 16
    tried = ground.try_at(calls, list(Fault), start=start, within=within)
    print(f"{name}: {len(calls)} calls; tried: {dict(tried)}")
    assert tried
    counts = [tried[fault.name] for fault in Fault]
    reliability("faults", (name.replace("_", " "), len(calls), *counts, 0))


def test_a_failing_disk_is_told_in_one_line(here: Site) -> None:
    ground = _ground(here, "linking")
    (call,) = (call for call in ground.calls() if call.name == "write" and call.path.endswith("/pyvenv.cfg"))
    done, ours = ground.fail_at(call, Fault.EIO)
    assert ours
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        f"linkenv: The environment cannot be written (Input/output error): {ground.prefix}. The disk"
    )
