"""What a host decides about its environments; all else is the same for every one of them."""

from __future__ import annotations

import enum
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from nox_linkenv.store.directories import is_directory
from nox_linkenv.store.trash import donor_name, put_away, trash_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from nox_linkenv.config import Settings
    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.maintenance.background import Tasks
    from nox_linkenv.progress import Display
    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.projects.requirements import LocalProject
    from nox_linkenv.provision.ahead.leader import Ahead, Leader, Queue
    from nox_linkenv.resolve.request import Request
    from nox_linkenv.store import Store
    from nox_linkenv.store.journal import Session

__all__ = ["Cleared", "Creation", "LeadingPolicy", "Policy"]


class Creation(enum.Enum):
    """How an environment came to stand."""

    LINKED = "linked"
    RECYCLED = "recycled"
    CAPTURED = "captured"
    VIRTUALENV = "by virtualenv"
    KEPT = "kept"


class Cleared(NamedTuple):
    """Where that is which stood at the place of an environment.

    Attributes:
        previous: path of the tree that the new environment takes over from, ``None`` where there is none.
        trash: paths of what background work is to remove.
    """

    previous: str | None = None
    trash: tuple[str, ...] = ()


class Policy:
    """The decisions of nox and of the command line; other hosts have policies of their own.

    Attributes:
        host: what the journal calls it; empty where it is not told of these environments.
    """

    host: ClassVar[str] = ""

    def run(self) -> str:
        """Return the name in the journal of the run that these environments are made in."""
        from nox_linkenv.store.journal import RUN

        return RUN

    def project_directory(self) -> str:
        """Return the absolute path of the directory of the project whose environments these are."""
        return os.getcwd()

    def ended(self, session: Session) -> None:
        """What was done for *session* has been noted."""

    def clear(self, prefix: str, former: Receipt | None, serves: Callable[[Receipt], bool]) -> Cleared:
        """Move away what stands at *prefix*, so that an environment can be made there.

        Args:
            prefix: absolute path of the environment.
            former: receipt of the finished environment that stands there, if one does.
            serves: whether the new environment can take over from the one with this receipt.

        Raises:
            OSError: it can neither be renamed nor removed.
        """
        if not os.path.lexists(prefix):
            return Cleared()
        previous = former is not None and is_directory(prefix) and serves(former)
        aside = donor_name(prefix) if previous else trash_name(prefix)
        if not put_away(prefix, aside):
            return Cleared()
        return Cleared(previous=aside) if previous else Cleared(trash=(aside,))

    def is_free(self, prefix: str) -> bool:
        """Return whether nothing stands in the way of an environment at *prefix*, once that has been cleared."""
        return not os.path.lexists(prefix)

    def registers(self, receipt: Receipt) -> bool:
        """Return whether the store is told of the environment with *receipt*, so that pruning keeps what it needs."""
        return True

    def display(self) -> Display | None:
        """Return where to show what is being done while the user waits; asked for only where that may take long."""
        return None

    def capturing(self, store: Store) -> None:
        """A skeleton is not in *store*, and is to be captured: its first use here.  Others may be missing, too."""

    def asking(self, store: Store) -> None:
        """The request that is being answered has no answer in *store* that holds: its first time, or an old one."""

    def closed(self, tasks: Tasks) -> None:
        """The session has ended, and *tasks* are worth doing for the next one."""

    def upcoming(self) -> Sequence[str]:
        """Return the paths of environments that this process makes next, as far as that is known."""
        return ()

    def installing(self, request: Request) -> AbstractContextManager[None]:
        """Return what is to be held while *request* is answered."""
        return nullcontext()

    def tree(self, project: LocalProject, look: Callable[[], Tree]) -> Tree:
        """Return the tree that stands for *project* in the key of a request.

        Args:
            look: returns the tree as it is now.

        Raises:
            UnknownTreeError: it cannot be told what a build of the project sees.
        """
        return look()

    def pinned_tree(self, tree: Tree) -> Tree | None:
        """Return a tree in whose stead a build is kept that was made while the project was no more like *tree*.

        Where nobody has decided to see the project as it was, there is none: such a build is not kept.
        """
        return None


class LeadingPolicy(Policy):
    """The decisions of a host that knows its next sessions: what one of them misses is had ahead for the others.

    Args:
        prefix, settings: absolute path and settings of the environment.

    Attributes:
        ahead: what is done ahead in this run, once something has been missing.
    """

    ahead: ClassVar[Ahead | None] = None

    def __init__(self, prefix: str, settings: Settings) -> None:
        self._prefix = prefix
        self._settings = settings
        self._requests: list[Request] = []
        self._leader: Leader | None = None

    def queue(self) -> Queue | None:
        """Return the sessions that come after this one, ``None`` where nothing is to be done for them."""
        return None

    def capturing(self, store: Store) -> None:
        if (leader := self._leading(store)) is not None:
            leader.capturing()

    def asking(self, store: Store) -> None:
        if (leader := self._leading(store)) is not None:
            leader.asking()

    def installing(self, request: Request) -> AbstractContextManager[None]:
        if self._leader is None:
            self._requests.append(request)
        else:
            self._leader.installing(request)
        return super().installing(request)

    def closed(self, tasks: Tasks) -> None:
        if self._leader is not None:
            self._leader.closed(tasks)

    def _leading(self, store: Store) -> Leader | None:
        """Return what works for the sessions to come, of which nothing is loaded before something is missing."""
        if self._leader is None and self._settings.ahead and (queue := self.queue()) is not None:
            from nox_linkenv.provision.ahead.leader import Ahead, Leader

            LeadingPolicy.ahead = LeadingPolicy.ahead or Ahead(store, queue.command())
            self._leader = Leader(LeadingPolicy.ahead, self._prefix, self._settings, queue, self._requests)
        return self._leader
