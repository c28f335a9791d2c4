"""Builds that pip makes, of sdists and commits, while it is asked and while it fetches: they are watched, too."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from nox_linkenv.projects.looking import Watched, within
from nox_linkenv.projects.notes import Kind, UnsettledError, reads_of
from nox_linkenv.projects.product import look_through
from nox_linkenv.projects.reads import NOTHING, UNKNOWN, Reads
from nox_linkenv.projects.watch import Watch, standard_library
from nox_linkenv.resolve.pip_config import keeps_wheels
from nox_linkenv.store.temporary import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.provision.environment import Environment
    from nox_linkenv.provision.keys import RequestKeys
    from nox_linkenv.store import Manifest

__all__ = ["UNSEEN", "PipBuilds", "pip_builds"]

#: Why a request is not remembered, in one clause.
UNSEEN: Final = "what is read while it is built cannot be watched, or changes"


@contextlib.contextmanager
def pip_builds(environment: Environment, keys: RequestKeys) -> Iterator[PipBuilds]:
    """Prepare to watch the builds of pip in *environment* for the request of *keys*."""
    with temporary_directory(environment.store.layout) as directory:
        yield PipBuilds(environment, keys, directory)


class PipBuilds:
    """What the builds of pip for one request have read.

    Attributes:
        reads: by all builds of what belongs to the answer, those of other times included.
        lasting: whether the same would come of the same another time.
        tree: of the one local project, as pip finds it; what is read of it is known by its fingerprint.
    """

    def __init__(self, environment: Environment, keys: RequestKeys, directory: str) -> None:
        assert keys.receipt is not None
        facts = keys.receipt.facts
        self.reads = NOTHING
        self.lasting = True
        self.tree: Tree | None = None
        self._environment = environment
        self._keys = keys
        self._seen = 0  # notes
        options = [] if keys.arguments is None else [option for _, option, _ in keys.arguments.options]
        self._keeps = keeps_wheels(options, keys.request.environ, keys.config)
        places = [f"{environment.prefix}/{place}" for place in facts.site_packages]
        inert = [*(f"{place}/pip" for place in places), *standard_library(environment.prefix, facts.version)]
        self._watch = Watch(places, directory, inert, every=False)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Watch while the context lasts, and add what was read."""
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):  # pip will not be able to write there either
                stack.enter_context(self._watch)
            yield

    def finish(self, builds: int, *, known: Collection[str] = ()) -> Reads:
        """Take in what has been noted since this was last called.

        Args:
            builds: how many projects pip must have built meanwhile.
            known: real paths of projects of which it is known otherwise what pip has made of them: where nothing else
                was built, what was read counts for nothing.

        Returns:
            What these builds have read.
        """
        notes = self._watch.notes()
        if notes is None:
            self.lasting = False
            return UNKNOWN
        notes, self._seen = notes[self._seen :], len(notes)
        watched = Watched(self._environment.prefix, self._keys.request.environ, self.tree, by_pip=True)
        try:
            reads = reads_of(notes, watched).outside
        except UnsettledError:
            self.lasting = False
            return UNKNOWN
        if reads.unseen and not self._keeps:
            self.lasting = False
        places = {str(note[1]) for note in notes if note[0] == Kind.START.value}
        if places and all(any(within(place, project) is not None for project in known) for place in places):
            reads = NOTHING
        if len(places) < builds:
            reads |= UNKNOWN  # pip has had a wheel of it, or has built it where nothing is watched
        self.reads |= reads
        return reads

    def judge(self, manifests: Sequence[Manifest], reads: Reads, began: float) -> Reads:
        """Return *reads*, those of the builds of *manifests* since *began*, with what the wheels show."""
        for manifest in manifests:
            product = look_through(
                self._environment.store, manifest, self._environment.prefix, began=began, ended=time.time()
            )
            reads |= Reads(location=bool(product.paths), date=product.date, facts=product.facts)
            self.lasting &= not product.moment
        self.reads |= reads
        return reads
