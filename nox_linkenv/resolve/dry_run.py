"""Asking pip what it would install."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from nox_linkenv.errors import ResolutionError
from nox_linkenv.resolve.arrivals import Arrivals, arriving
from nox_linkenv.resolve.download import Wanted
from nox_linkenv.resolve.fetch import note_on, store_downloaded, wheels_to_have
from nox_linkenv.resolve.pages import load_state
from nox_linkenv.resolve.record import note_reading, plain_files
from nox_linkenv.resolve.report import Origin, parse_report
from nox_linkenv.store.store import writing
from nox_linkenv.store.temporary import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nox_linkenv.resolve.cache import Reading
    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.resolve.pip_config import PipConfig
    from nox_linkenv.resolve.report import Resolved
    from nox_linkenv.store import Store

__all__ = ["DryRun", "PipAnswer"]

#: Bytes that a report of pip takes at least; of hundreds of distributions it takes some megabytes.
_REPORT_SIZE: Final = 1 << 18
#: Bytes that one may have; to read it takes several times as much memory.
_MOST: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class PipAnswer:
    """What pip has answered.

    Attributes:
        resolved: what it would install.
        reading: what it read for that.
        notes: lines on wheels which it has downloaded for that, and which are stored now.
        files: URLs of the requirement files that it has had of servers, and that say no more than versions.
    """

    resolved: list[Resolved]
    reading: Reading
    notes: tuple[str, ...] = ()
    files: frozenset[str] = frozenset()


class _Run(Protocol):
    def __call__(self, arguments: Sequence[str], /, *, record: str) -> bool: ...


class DryRun:
    """Has pip say what it would install.

    Args:
        store: that keeps what pages pip has read.
        environ: the variables that pip runs with.
        config: its configuration.
    """

    def __init__(self, store: Store, environ: Mapping[str, str], config: PipConfig) -> None:
        self._store = store
        self._environ = environ
        self._config = config

    def ask(self, pip: Pip) -> PipAnswer | None:
        """Return what pip would install, ``None`` where it failed and that was allowed.

        Raises:
            ResolutionError: its report cannot be read, or is too large for that.
            Whatever *pip* raises where pip fails.
        """
        return self.run(pip.ask, parse_report)

    def run(self, run: _Run, parse: Callable[[str], list[Resolved]]) -> PipAnswer | None:
        """Return what pip says it would install.

        Args:
            run: runs pip with arguments that have it write a report and keep it from installing.
            parse: reads the report; raises ResolutionError.

        Returns:
            ``None`` where *run* returns false, or pip has written none.

        Raises:
            StoreUnwritableError: pip failed, and the disk of its report, which is the store's, is full.
        """
        with temporary_directory(self._store.layout) as directory, contextlib.ExitStack() as stack:
            report, record = Path(directory) / "report.json", f"{directory}/record.jsonl"
            come = Path(directory, "come")
            arrivals = stack.enter_context(arriving(self._store, record, self._environ, come))
            try:
                ran = run(["--dry-run", "--report", str(report)], record=record)
            except Exception:
                self._check_space(directory)
                raise
            if not ran or not report.exists():
                return None
            if report.stat().st_size > _MOST:
                raise ResolutionError(
                    f"pip's installation report is larger than {_MOST} bytes",
                    remedy="Install the distribution with the very long metadata by itself.",
                )
            resolved = parse(report.read_text(encoding="utf-8"))
            reading = note_reading(self._store, record, self._environ, self._config, resolved)
            notes = self._have(resolved, reading, Path(directory, "wheels"), arrivals)
            notes += store_downloaded(self._store, resolved, come)
            return PipAnswer(resolved, reading, notes, plain_files(record))

    def _have(
        self, resolved: Sequence[Resolved], reading: Reading, directory: Path, arrivals: Arrivals
    ) -> tuple[str, ...]:
        """Store the wheels of *resolved* that pip has left in *directory*, and those that can be had without it."""
        digests = {item.sha256: item for item in resolved if item.origin is Origin.WHEEL and item.sha256}
        missing = wheels_to_have(self._store, list(digests.values()), directory)
        states = [load_state(self._store, name) for name, _ in reading.pages] if missing else []
        pages = [state.page for state in states if state is not None]
        wanted = [Wanted(item.name, item.url, item.file_name, item.sha256) for item in missing if item.sha256]
        stored = arrivals.finish(wanted if pages else [], digests, pages)
        return (*filter(None, map(note_on, stored)), *store_downloaded(self._store, resolved, directory))

    def _check_space(self, directory: str) -> None:
        """Say that the store is full, where it is: pip does not say which disk it means."""
        with writing(self._store.layout), tempfile.TemporaryFile(dir=directory) as stream:
            stream.write(bytes(_REPORT_SIZE))
