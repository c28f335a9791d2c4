"""Asking real pip, and renewing what it has answered, below everything that installs."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nox_linkenv.resolve.pip import observed
from nox_linkenv.resolve.pip_config import PipConfig
from nox_linkenv.resolve.record import note_reading
from nox_linkenv.resolve.renewal import NotRenewedError, renew
from nox_linkenv.resolve.report import parse_report
from nox_linkenv.store import Store
from tests.support.capabilities import require_python
from tests.support.environment import clean_environment
from tests.support.shared import once, run_checked

if TYPE_CHECKING:
    from pathlib import Path

    from nox_linkenv.resolve.cache import Reading

__all__ = ["DAY", "Asking", "PipFailedError", "make_asking", "python_with_pip"]

DAY = 86_400.0
#: Variables by which the outer world says how servers are reached.
_MEANS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CERT")


class PipFailedError(Exception):
    """pip has failed; the message is what it said."""


@dataclass(slots=True)
class Asking:
    """One who asks pip for a request now and again.

    Attributes:
        python: of an environment with nothing but pip.
        root: a directory of the test's own.
        environ: the variables that pip runs with.
        indexes: those that the request names.
    """

    python: Path
    root: Path
    environ: dict[str, str]
    indexes: list[str] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return Store.open(self.root / "store")

    def pip(self, *arguments: str) -> tuple[dict[str, str], Reading]:
        """Return what pip would install, and what it read for it."""
        record, report = self.root / "record", self.root / "report.json"
        record.unlink(missing_ok=True)
        command = [str(self.python), "-m", "pip", "install", "--dry-run", "--report", str(report), *arguments]
        done = subprocess.run(
            observed(command, str(record)), env=self.environ, cwd=self.root, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode != 0:
            raise PipFailedError(done.stdout)
        resolved = parse_report(report.read_text())
        reading = note_reading(self.store, str(record), self.environ, PipConfig(), resolved)
        return {item.name: item.version for item in resolved}, reading

    def renewed(self, reading: Reading, *, after: float = DAY) -> bool:
        """Return whether the answer that *reading* led to stands *after* so many seconds."""
        try:
            self.renew(reading, now=time.time() + after)
        except NotRenewedError:
            return False
        return True

    def renew(self, reading: Reading, *, now: float) -> float:
        return renew(self.store, reading, self.environ, self.indexes, now=now, age=600.0)

    def kept(self) -> str:
        """Everything that the store keeps of pages."""
        return "".join(path.read_text() for path in (self.root / "store").rglob("pages/*/*.json"))


def python_with_pip(shared: Path) -> Path:
    """Return the interpreter of an environment with nothing but pip, made once in the directory *shared*."""

    def make(place: Path) -> None:
        run_checked(sys.executable, "-m", "virtualenv", "-q", "-p", str(require_python("3.12")), str(place))

    return once(shared / "pip-alone", make) / "bin" / "python"


def make_asking(root: Path, python: Path) -> Asking:
    """Return one who asks, with directories below *root*."""
    (root / "home").mkdir()
    environ = clean_environment() | {"HOME": str(root / "home"), "PIP_CONFIG_FILE": "/dev/null"}
    environ |= {"PIP_NO_CACHE_DIR": "1", "PIP_TIMEOUT": "1", "PIP_RETRIES": "0"}
    return Asking(python, root, {name: value for name, value in environ.items() if name not in _MEANS})
