"""Asking pip for the other distributions while the project is being built, by what the project declares."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from nox_linkenv.progress import ASKING, doing
from nox_linkenv.projects.declared import Declared, read_declared
from nox_linkenv.projects.metadata import metadata_fields
from nox_linkenv.projects.substitutes import read_report_for, with_substitutes
from nox_linkenv.store.temporary import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nox_linkenv.projects.build_cache import Build
    from nox_linkenv.projects.requirements import Requested
    from nox_linkenv.provision.environment import Environment
    from nox_linkenv.resolve.dry_run import DryRun, PipAnswer
    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.resolve.request import Request
    from nox_linkenv.store import Store

__all__ = ["EarlyAnswer", "asked_early"]

#: Seconds that pip is given to end by itself, where the build has failed or the user has interrupted all of it.
_PATIENCE: Final = 5.0


@contextlib.contextmanager
def asked_early(
    environment: Environment, requested: Requested, request: Request, dry_run: DryRun, pip: Pip
) -> Iterator[EarlyAnswer | None]:
    """Have *pip* asked, in another thread, while the context lasts; yield what becomes of it.

    That is done where the one local project declares all that pip must know of it, and is not installed: then pip would
    look at what is there.  Whatever goes wrong, there is no answer, and pip is asked after the build.
    """
    store = environment.store
    declared = read_declared(requested.projects[0].path) if len(requested.projects) == 1 else None
    if declared is None or environment.replaced([declared.name]):
        yield None
        return
    with contextlib.ExitStack() as stack:
        try:
            wheel = declared.write_wheel(stack.enter_context(temporary_directory(store.layout)))
        except OSError:  # whatever is to be written next says it
            yield None
            return
        wheels = {requested.projects[0]: wheel}
        arguments = with_substitutes(requested, wheels)
        if arguments is None:
            yield None
            return

        def run(options: Sequence[str], *, record: str) -> bool:
            return pip.fetch(["install", *options, *arguments], record=record)

        def ask() -> PipAnswer | None:
            return dry_run.run(run, lambda text: read_report_for(text, wheels, request.directory))

        early = EarlyAnswer(store, declared, ask)
        try:
            yield early
        finally:
            early.wait(_PATIENCE)


class EarlyAnswer:
    """What pip answers to a wheel that stands in for a project.

    Args:
        declared: what the wheel says.
        ask: returns pip's answer, ``None`` where it gives none.
    """

    def __init__(self, store: Store, declared: Declared, ask: Callable[[], PipAnswer | None]) -> None:
        self._store = store
        self._declared = declared
        self._ask = ask
        self._answer: PipAnswer | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until pip has ended, or for so many *seconds*."""
        self._thread.join(seconds)

    def taken(self, build: Build) -> PipAnswer | None:
        """Return pip's answer if it holds for the project as it was built."""
        manifest = self._store.manifest(build.wheel)
        if manifest is None or Declared.of_fields(metadata_fields(self._store, manifest)) != self._declared:
            return None
        with doing(ASKING):
            self.wait()
        return self._answer

    def _run(self) -> None:
        with contextlib.suppress(Exception):  # pip is asked again, and says it then
            self._answer = self._ask()
