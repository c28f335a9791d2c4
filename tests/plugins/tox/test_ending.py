"""The line at the end of a run of tox: of two environments or more, after tox's own, and not where it is unwanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.plugins.tox.tool import Project, Run, ini
from tests.support.seeds import seed, sow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.shared import Host


def test_the_run_is_summed_up_after_what_tox_says(tmp_path: Path, shared_dir: Path, newest: Host) -> None:
    store = sow(seed(shared_dir, newest), tmp_path / "store")
    project = Project.make(tmp_path / "project", newest, store)
    config = ini("deps = tiny", more="[testenv:a]\n[testenv:b]", runner="linked")
    both = ("run", "-e", "a,b")
    told = project.tox(Run(both, config=config)).output.splitlines()
    assert told[-1].startswith("linked: 2 environments made and 2 requests answered in "), told
    assert told[-2].startswith("  congratulations :)")
    parallel = project.tox(Run(("run-parallel", "-p", "2", "-r", "-e", "a,b"))).output.splitlines()
    assert "less than pip ran" in parallel[-1], parallel
    assert parallel[-1].startswith("linked: 2 environments made"), parallel
    for args, env in (
        (("run", "-r", "-e", "a"), {}),  # one has its own line
        (both, {}),  # both are kept as they stand
        (("run", "-r", "-qq", "-e", "a,b"), {}),
        (("run", "-r", "-e", "a,b"), {"LINKENV_QUIET": "1"}),
        (("run", "-r", "-e", "a,b", "-x", "testenv.linkenv_quiet=true"), {}),
        (("list",), {}),
    ):
        said = project.tox(Run(args, env=env)).output
        assert "environments made and" not in said, (args, said)
