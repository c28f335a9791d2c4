"""Runs real tox on a small project, once on the oracle and once on the peer, at the very same path."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from tests.plugins.tox.project import furnish
from tests.support.app_data import with_compiled_pip
from tests.support.environment import clean_environment
from tests.support.oracle import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.support.oracle import Oracle
    from tests.support.shared import Host

__all__ = ["ORACLE", "PEER", "Outcome", "Project", "Run", "ini"]

#: tox's own runner, with real pip: by definition right.
ORACLE: Final = "virtualenv"
PEER: Final = "linked"


@dataclass(frozen=True, slots=True)
class Run:
    """One call of tox.

    Args:
        args: those of tox.
        config: content of tox.ini from now on; ``{runner}`` stands for the runner.
        env: variables more.
        before: done to the project first.
    """

    args: tuple[str, ...] = ("run",)
    config: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    before: Callable[[Path], object] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a user sees of one call of tox.

    Args:
        code: exit code.
        output: standard output and error.
        installed: name of each environment -> its distributions.
        journal: of ``--result-json``.
    """

    code: int
    output: str
    installed: dict[str, list[str]]
    journal: Any

    @property
    def said(self) -> str:
        """The output: runners, durations and process numbers aside."""
        text = re.sub(r"\x1b\[\d*m", "", self.output)
        text = re.sub(r"\([\d.]+(=setup\[.*\])? seconds\)", "(SECONDS)", text)
        text = re.sub(r"in [\d.]+ seconds", "in SECONDS", text)
        text = re.sub(r"pid=\d+", "pid=PID", text)
        text = re.sub("VirtualEnvRunner|LinkedRunner", "RUNNER", text)
        text = re.sub(r"PYTHONHASHSEED=\d+", "PYTHONHASHSEED=N", text)
        text = re.sub(r"/tmp/pep517_\S+", "RESPONSE", text)
        text = re.sub(r"(linkenv\S* = |\S+: The session ).*\n", "", text)  # what only the peer has to say
        text = re.sub(r"(Installing collected packages|linked): .*\n", "", text)
        return re.sub(r"runner = (virtualenv|linked)", "runner = RUNNER", text)

    def same(self) -> dict[str, Any]:
        """Return what must not depend on the runner."""
        return {"code": self.code, "said": self.said, "installed": self.installed, "journal": _shape(self.journal)}


def ini(env: str = "", *, tox: str = "skipsdist = true", more: str = "", runner: str = "{runner}") -> str:
    """Return a tox.ini with an environment that has the lines *env*."""
    env = env if "commands =" in env else f'{env}\ncommands = python -c "print(1 + 1)"'
    return f"[tox]\nenv_list = py\n{tox}\n[testenv]\nrunner = {runner}\n{env}\n{more}\n"


@dataclass(frozen=True, slots=True)
class Project:
    """The project in the directory *root*.

    Attributes:
        store: may be shared by many.
        oracle: what keeps the oracle's half of a comparison; it is asked each time where there is none.
    """

    root: Path
    host: Host
    store: Path
    oracle: Oracle | None = None

    @classmethod
    def make(cls, root: Path, host: Host, store: Path, *, oracle: Oracle | None = None) -> Project:
        furnish(root)
        return cls(root, host, store, oracle)

    def environ(self, more: dict[str, str] | None = None) -> dict[str, str]:
        """Return the variables that tox runs with."""
        return clean_environment() | {
            "LINKENV_STORE": str(self.store),
            "LINKENV_SPARES": "0",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.root / "wheels"),
            "TOX_DISABLED_EXTERNAL_PLUGINS": "tox-uv",
            "NO_COLOR": "1",
            "PYTHONHASHSEED": "0",  # tox prints sets
            **(more or {}),
        }

    def command(self, *args: str) -> Sequence[str]:
        return [str(self.host.python), "-m", "tox", *args]

    def tox(self, run: Run, runner: str = PEER) -> Outcome:
        """Run tox once, on what stands there."""
        if run.before is not None:
            run.before(self.root)
        if run.config is not None:
            (self.root / "tox.ini").write_text(run.config.replace("{runner}", runner))
        journal = self.root / "journal.json"
        journal.unlink(missing_ok=True)
        done = subprocess.run(
            self.command(*run.args),
            cwd=self.root,
            env=self.environ(run.env),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=300,
        )
        told = json.loads(journal.read_text()) if journal.exists() else None
        return Outcome(done.returncode, done.stdout, self.installed(), told)

    def installed(self) -> dict[str, list[str]]:
        """Return the distributions of every environment in the work directory."""
        return {
            str(path.parent.relative_to(self.root)): sorted(
                info.name for info in path.parent.glob("lib/python*/site-packages/*.dist-info")
            )
            for path in sorted(self.root.glob("**/pyvenv.cfg"))
            if "/.linkenv-" not in str(path)
        }

    def log(self, name: str, env: str = "py") -> str:
        """Return the log files named *name* of an environment."""
        found = sorted((self.root / ".tox" / env / "log").glob(f"*-{name}.log"))
        return "".join(path.read_text() for path in found)

    def renew(self) -> None:
        """Make the project what it was at first."""
        shutil.rmtree(self.root)
        furnish(self.root)

    def same_on_both(self, *runs: Run) -> list[Outcome]:
        """Run tox several times, first all on the oracle, then all on the peer; fail unless users see the same.

        Returns what the peer did.
        """
        if self.oracle is None:
            asked = self._tell(runs, ORACLE)
        else:
            asked = self.oracle.answer(lambda: self._tell(runs, ORACLE), *installed(self.host))
        told = self._tell(runs, PEER)
        for oracle, peer in zip(asked, told, strict=True):
            assert peer.same() == oracle.same(), f"{peer.output}\n--- the oracle:\n{oracle.output}"
        return told

    def _tell(self, runs: Sequence[Run], runner: str) -> list[Outcome]:
        self.renew()
        compiled = with_compiled_pip() if runner == ORACLE else {}
        return [self.tox(replace(run, env=compiled | run.env), runner) for run in runs]


def _shape(journal: Any) -> Any:
    """Return *journal* without what differs from run to run."""
    if isinstance(journal, dict):
        varying = {"start", "end", "elapsed", "duration", "output", "err", "sha256"}
        return {name: _shape(value) for name, value in journal.items() if name not in varying}
    if isinstance(journal, list):
        return [_shape(value) for value in journal]
    return journal.replace(os.sep, "/") if isinstance(journal, str) else journal
