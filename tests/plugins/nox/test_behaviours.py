"""What sessions see of their environment is what they see with nox's virtualenv backend."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest

from tests.parity.compare import view_differences
from tests.plugins.nox.tool import Outcome, Project, Run
from tests.support.oracle import Oracle, steady_directory
from tests.support.seeds import seed
from tests.support.shared import Host, once
from tests.support.suites import usually

pytestmark = pytest.mark.network  # the oldest nox is installed from the index

_NOXFILE = Path(__file__).with_name("behaviours.py").read_text()
_SESSIONS = [
    node.name for node in ast.parse(_NOXFILE).body if isinstance(node, ast.FunctionDef) and node.decorator_list
]
_SKIPPED = {"missing_interpreter", "missing_interpreter_path"}
_FAILED = {
    *("unknown_requirement", "conflicting_pins", "conflicting_requirements", "missing_requirements_file"),
    *("missing_constraints_file", "missing_wheel", "missing_project", "not_a_project", "unknown_option"),
    *(
        "malformed_requirement",
        "wrong_hash",
        "no_arguments",
        "pip_by_itself_fails",
        "external_programs",
        "no_environment",
        "params_wrong",
    ),
}
#: These change installed packages by commands of their own, and it is said at their end.
_CHANGING = {"returned", "pip_commands", "pip_by_itself"}
#: What the oldest nox does not know yet: there both backends must fail in the same way, but for a removed variable,
#: which nox fails to pass on while the linked backend knows what was meant.
_NEWER = {"env_removed", "without_outer_env"}


#: Of what pip refuses, of virtualenv's options and of keywords, others than these are tried by the heavy suite.
_RARE = (
    *("missing_requirements_file", "missing_constraints_file", "missing_project", "not_a_project"),
    *("unknown_option", "malformed_requirement", "session_env", "env_removed", "stderr_keyword", "success_codes"),
    *("unlogged", "pip_commands", "pip_by_itself_fails", "temporary", "other_directory", "function_run"),
    *("inner_environments", "missing_interpreter_path", "params_without_pip", "params_seeds", "params_wrong"),
)
_ORDER = [*(name for name in _SESSIONS if name not in _RARE), *_RARE]
#: One run of nox is for so many sessions, so that two workers share them.
_AT_ONCE = 8


@pytest.fixture
def outcomes(host: Host, shared_dir: Path, session: str, oracle: Oracle) -> tuple[Outcome, Outcome]:
    """The session on the oracle, then on the peer: run with several others, once for each nox."""
    number = _ORDER.index(session) // _AT_ONCE
    name = f"behaviours-{host.name}-{number}"
    several = _ORDER[number * _AT_ONCE :][:_AT_ONCE]

    def work(place: Path) -> None:
        mine = oracle.of(name)
        with steady_directory(name) as directory:
            # the first ones begin with no store at all
            seeded = seed(shared_dir, host) if number else None
            project = Project.make(directory / "project", host, _NOXFILE, oracle=mine, seed=seeded)
            (pair,) = project.on_both(Run(("-s", *several)))
        place.write_bytes(pickle.dumps((pair, mine.recalled)))

    place = shared_dir / f"{name}{'-again' if oracle.again else ''}.pickle"
    found: tuple[Outcome, Outcome]
    found, recalled = pickle.loads(once(place, work).read_bytes())
    oracle.recalled.extend(recalled)
    return found


@pytest.mark.parametrize("session", usually(_ORDER, *_ORDER[: _ORDER.index(_RARE[0])]))
def test_same_as_virtualenv(host: Host, outcomes: tuple[Outcome, Outcome], session: str) -> None:
    if host.name == "oldest" and session == "env_removed":
        pytest.skip("the oldest nox cannot remove a variable")
    oracle, peer = (outcome.session_part(session) for outcome in outcomes)
    expected = "skipped" if session in _SKIPPED else "failed" if session in _FAILED else "success"
    if host.name == "newest" or session not in _NEWER:
        assert oracle.report[session][0] == expected, oracle.output
    told = view_differences(oracle.same(), peer.same())
    if session not in _CHANGING:
        told += [line for line in peer.output.splitlines() if line.startswith("nox > The session ")]
    assert not told, "\n".join([*told, "--- the oracle:", oracle.output, "--- here:", peer.output])
