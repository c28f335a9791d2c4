"""Runs real nox on a small project, once on the oracle and once on the peer, at the very same path."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.parity.tool import ORACLE, PEER
from tests.parity.wheels import write_wheel
from tests.support.app_data import with_compiled_pip
from tests.support.environment import clean_environment
from tests.support.oracle import installed
from tests.support.seeds import sow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.support.oracle import Oracle
    from tests.support.shared import Host

__all__ = ["Outcome", "Project", "Run"]

#: Stands first on the path as python and pip: no test may ever install into an interpreter of this machine.
_GUARD = """\
#!/bin/sh
case "$0 $*" in *pip*) echo "$0 $*" >> {record} ;; esac
exit 97
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One call of nox.

    Args:
        args: those of nox.
        backend: instead of the one being tried.
        env: variables more; an empty one is removed.
        before: done to the directory of environments first.
    """

    args: tuple[str, ...] = ()
    backend: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    before: Callable[[Path], object] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a user sees of one call of nox."""

    code: int
    output: str
    report: dict[str, tuple[str, str | None]]
    facts: dict[str, Any]

    @property
    def text(self) -> str:
        """The output: backend names, durations, addresses, our lines on requests and changed files, a missing uv aside.

        nox looks for uv when it makes an environment of its own backend, and says so where there is none.
        """
        text = re.sub(r"^nox > (linked: |The session |uv binary not found).*\n", "", self.output, flags=re.MULTILINE)
        text = re.sub(r"\((virtualenv|linked)\)", "(BACKEND)", text)
        text = text.replace("Re-using", "Reusing")
        text = re.sub(r"(successful|Ran \w+ sessions)\b.*", r"\1", re.sub("0x[0-9a-f]+", "0x", text))
        return re.sub(r",? \(?took [\w ]+\)?", "", text)

    @property
    def said(self) -> list[str]:
        """What nox itself said, the call of virtualenv aside."""
        lines = [line for line in self.text.splitlines() if line.startswith("nox > ")]
        return [line for line in lines if " -m virtualenv " not in line]

    @property
    def errors(self) -> list[str]:
        """The errors that pip or virtualenv told."""
        lines = [line.removeprefix("nox > ") for line in self.output.splitlines()]
        return [line for line in lines if re.match(r"(ERROR|\S*error):", line)]

    def session_part(self, name: str) -> Outcome:
        """Return the part of one session."""
        start = self.output.find(f"nox > Running session {name}\n")
        part = re.split(r"\nnox > (?=Running session |Ran \w+ sessions)", self.output[start:], maxsplit=1)[0]
        report = {name: self.report[name]}
        return Outcome(self.code, part, report, {name: self.facts.get(name)})

    def same(self) -> dict[str, Any]:
        """Return what must not depend on the backend."""
        return {
            "code": self.code,
            "report": self.report,
            "facts": self.facts,
            "said": self.said,
            "errors": self.errors,
        }


@dataclass(frozen=True, slots=True)
class Project:
    """A directory with a noxfile and ``wheels/``: tiny 1.0 and 2.0, and needy, which requires ``tiny<2``.

    Attributes:
        oracle: what keeps the oracle's half of a comparison; it is asked each time where there is none.
    """

    root: Path
    host: Host
    oracle: Oracle | None = None

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def envdir(self) -> Path:
        return self.root / ".nox"

    @classmethod
    def make(
        cls, root: Path, host: Host, noxfile: str, *, oracle: Oracle | None = None, seed: Path | None = None
    ) -> Project:
        """Write the project into *root*; its store is a copy of *seed*, or not there."""
        wheels = root / "wheels"
        wheels.mkdir(parents=True)
        for version in ("1.0", "2.0"):
            module = f"VERSION = {version!r}\n".encode()
            write_wheel(wheels, "tiny", version, {"tiny.py": module})
        write_wheel(wheels, "needy", "1.0", {"needy/__init__.py": b"import tiny\n"}, requires=("tiny<2",))
        (root / "noxfile.py").write_text(noxfile)
        (root / "guard").mkdir()
        for name in ("python", "python3", "pip", "pip3"):
            (root / "guard" / name).write_text(_GUARD.format(record=root / "escaped.txt"))
            (root / "guard" / name).chmod(0o755)
        if seed is not None:
            sow(seed, root / "store")
        return cls(root, host, oracle)

    def nox(self, run: Run, backend: str = PEER) -> Outcome:
        """Run nox once, on what stands there."""
        if run.before is not None:
            run.before(self.envdir)
        shutil.rmtree(self.root / "facts", ignore_errors=True)
        report = self.root / "report.json"
        report.unlink(missing_ok=True)
        env = clean_environment() | {
            "BACKEND": run.backend or backend,
            "LINKENV_STORE": str(self.store),
            "LINKENV_SPARES": "0",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.root / "wheels"),
            "UV_NO_INDEX": "1",
            "UV_FIND_LINKS": str(self.root / "wheels"),
        }
        command = [str(self.host.python), "-m", "nox", "--report", str(report), *run.args]
        env |= run.env
        env["PATH"] = f"{self.root / 'guard'}{os.pathsep}{env['PATH']}"
        done = subprocess.run(
            command,
            cwd=self.root,
            env={name: value for name, value in env.items() if value},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=600,
        )
        escaped = self.root / "escaped.txt"
        assert not escaped.exists(), f"pip ran outside of the environment:\n{escaped.read_text()}\n{done.stdout}"
        facts = {path.stem: json.loads(path.read_text()) for path in (self.root / "facts").glob("*.json")}
        return Outcome(done.returncode, done.stdout, _report(report), facts)

    def python(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run the python that has nox."""
        command = [str(self.host.python), *args]
        return subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)

    def on_both(self, *runs: Run) -> list[tuple[Outcome, Outcome]]:
        """Run nox several times, first all on the oracle, then all on the peer: pairs of their outcomes."""
        shutil.rmtree(self.envdir, ignore_errors=True)
        if self.oracle is None:
            asked = self._ask_oracle(runs)
        else:
            noxfile = (self.root / "noxfile.py").read_text()
            asked = self.oracle.answer(lambda: self._ask_oracle(runs), noxfile, *installed(self.host))
        return list(zip(asked, [self.nox(run) for run in runs], strict=True))

    def _ask_oracle(self, runs: Sequence[Run]) -> list[Outcome]:
        """Run nox on the oracle and remove what that has left: the peer starts as it does with kept answers."""
        before = set(self.root.iterdir())
        compiled = with_compiled_pip()
        told = [self.nox(replace(run, env=compiled | run.env), ORACLE) for run in runs]
        for path in set(self.root.iterdir()) - before:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return told

    def same_on_both(self, *runs: Run) -> list[Outcome]:
        """As ``on_both``; fail unless everything that a user sees is the same. Returns what the peer did."""
        pairs = self.on_both(*runs)
        for oracle, peer in pairs:
            assert peer.same() == oracle.same(), f"{peer.output}\n--- the oracle:\n{oracle.output}"
        return [peer for _, peer in pairs]


def _report(path: Path) -> dict[str, tuple[str, str | None]]:
    if not path.exists():
        return {}
    sessions = json.loads(path.read_text())["sessions"]
    return {item["name"]: (item["result"], item.get("reason")) for item in sessions}
