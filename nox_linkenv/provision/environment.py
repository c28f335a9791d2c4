"""One environment: made bare, or taken over from virtualenv, and looked at when its session is over."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from nox_linkenv.env.assembly.apply import LinkApplier
from nox_linkenv.env.assembly.assembler import environment_errors
from nox_linkenv.env.assembly.link_source import (
    assembler_for,
    block_removal,
    check_places,
    open_store,
    serves,
    with_link_source,
)
from nox_linkenv.env.links import joined
from nox_linkenv.env.receipt import DIRECTORY, Receipt, donor_of, read_receipt, write_receipt
from nox_linkenv.env.skeleton import Skeleton, creator, fits, skeleton_name, stored_skeleton
from nox_linkenv.provision.gc_pause import without_collector
from nox_linkenv.store import Store
from nox_linkenv.store.roots import Root, register_root
from nox_linkenv.store.trash import donor_name, put_away, trash_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nox_linkenv.config import Settings
    from nox_linkenv.env.assembly.assembler import Assembler
    from nox_linkenv.env.plan import Plan

__all__ = ["Environment"]


class Environment:
    """The environment at one place, whether it stands there or is to be made.

    Args:
        prefix: absolute path of the environment, with ``/``.
        settings: how.
        session: what the host calls the session.
        clock: the seam to time; seconds since the epoch.
    """

    def __init__(
        self, prefix: str, settings: Settings, *, session: str, clock: Callable[[], float] = time.time
    ) -> None:
        self.prefix = prefix
        self.settings = settings
        self.session = session
        self.clock = clock
        self.store = open_store(settings)
        self.trash: list[str] = []
        self.notes: list[str] = []
        self.began = clock()
        self._receipt: Receipt | None = None
        self._assembler: Assembler | None = None
        self._read: dict[str, Plan | Skeleton] = {}  # until the end of the session, which looks at them again

    @property
    def assembler(self) -> Assembler:
        """What builds the environment; how it links is found out when it is first asked for."""
        if self._assembler is None:
            self._assembler, note = assembler_for(self.prefix, self.store, self.settings)
            self.notes.extend(filter(None, [note]))
        return self._assembler

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of the environment that stands there, ``None`` where it is not a finished one of ours."""
        if self._receipt is None:
            self._receipt = read_receipt(self.prefix)
        return self._receipt

    @environment_errors
    @without_collector
    def create(self, interpreter: str, parameters: Sequence[str]) -> bool:
        """Make the bare environment, replacing what stands there.

        Args:
            interpreter: absolute path of the interpreter asked for.
            parameters: of virtualenv.

        Returns:
            False where only virtualenv itself can make this one; :meth:`adopt` it then.

        Raises:
            EnvError: virtualenv refuses the interpreter.
            LinkenvError: the store or the directory cannot be used.
        """
        name = skeleton_name(interpreter, parameters, creator=creator(), environ=os.environ)
        donor = self._set_aside(name)
        if name is None or not fits(self.prefix):
            return False
        skeleton = stored_skeleton(self.store, name) or self._capture(name, interpreter, parameters)
        if skeleton is None:
            return False
        os.makedirs(f"{self.prefix}/{DIRECTORY}")
        if donor is not None:
            os.rename(donor, donor_of(self.prefix))
        with block_removal(self.store, self.assembler):
            return self._assemble(name, skeleton, interpreter, parameters)

    def _assemble(self, name: str, skeleton: Skeleton, interpreter: str, parameters: Sequence[str]) -> bool:
        applier = LinkApplier(self.store, self.assembler, skeleton.facts, self.settings)
        texts = self.assembler.texts(skeleton)
        result = applier.apply_links(name, skeleton.links, [], texts)
        damaged = joined(skeleton.links.selected(result.report.damaged), self.assembler.damaged(skeleton.copies))
        if damaged.paths:
            from nox_linkenv.maintenance.repair import discard

            found = discard(self.store, damaged)
            self.notes.append(f"{found[0].upper()}{found[1:]}; the seeds have been stored again.")
            captured = self._capture(name, interpreter, parameters, again=True)
            if captured is None:
                return False
            skeleton = captured
            texts = self.assembler.texts(skeleton)
            result = applier.apply_links(name, skeleton.links, [], texts)
        self.assembler.skeleton(skeleton, texts=texts, kept=result.kept)
        applier.record(name, result)
        self._read[name] = skeleton
        receipt = Receipt(self.store.layout.root, interpreter, skeleton.facts, name, self.session)
        self._finish(with_link_source(receipt, self.assembler))
        return True

    def check(self) -> None:
        """Make sure that nothing is missing which the environment that stands there needs of its stores.

        Raises:
            EnvError: a store has been moved or removed.
        """
        if self.receipt is not None:
            check_places(self.receipt, self.prefix)

    def adopt(self, interpreter: str) -> None:
        """Take over an environment which virtualenv has made, so that requests can be linked into it.

        Raises:
            EnvError: its interpreter or its pip does not work.
        """
        from nox_linkenv.env.interpreter.probe import learn
        from nox_linkenv.store.temporary import temporary_directory

        with temporary_directory(self.store.layout) as scratch:
            facts = learn(self.prefix, scratch, undo=True)
        self._finish(Receipt(self.store.layout.root, interpreter, facts, None, self.session))

    def _capture(
        self, name: str, interpreter: str, parameters: Sequence[str], *, again: bool = False
    ) -> Skeleton | None:
        from nox_linkenv.env.capture import capture_as

        return capture_as(name, self.store, interpreter, parameters, again=again)

    def _finish(self, receipt: Receipt) -> None:
        self.began = self.clock()
        self._register(receipt)
        write_receipt(self.prefix, receipt)
        self._receipt = receipt

    def _register(self, receipt: Receipt, *, until: float = 0.0) -> None:
        """Let the store know of the environment, and a lower one if symlinks lead into it."""
        below = [layout for layout in self.store.lower if receipt.symlinked and layout.root in receipt.places]
        for store in (self.store, *map(Store, below)):
            register_root(store, Root(self.prefix, self.session, self.began, until))

    def _set_aside(self, skeleton: str | None) -> str | None:
        """Move away what stands at the place; return where it is if the new environment can take over from it.

        What cannot be taken over from is trash, and removed by upkeep.
        """
        former = self.receipt
        self._receipt = None
        if not os.path.lexists(self.prefix):
            return None
        donor = former is not None and self.succeeds(former, skeleton)
        aside = donor_name(self.prefix) if donor else trash_name(self.prefix)
        if not put_away(self.prefix, aside):
            return None
        if donor:
            return aside
        self.trash.append(aside)
        return None

    def succeeds(self, former: Receipt, skeleton: str | None) -> bool:
        """Return whether the environment to come can take over from that of the receipt *former*."""
        return (
            skeleton is not None
            and former.skeleton == skeleton
            and former.store == self.store.layout.root
            and serves(former, self.assembler)
        )

    @without_collector
    def close(self, environ: Mapping[str, str], *, untouched: bool = False) -> list[str]:
        """Look at the environment after its session; return lines that say what the session changed.

        What is worth preparing for the next session is scheduled for when this process has ended.

        Args:
            environ: the variables that the session's commands ran with.
            untouched: whether nothing has run in the environment since this object made it.
        """
        from nox_linkenv.maintenance.background import Tasks, schedule
        from nox_linkenv.provision.session_end import close

        if self.receipt is not None:
            self._register(self.receipt, until=self.clock())
        where = (self.store, self.prefix, self.receipt, self.settings, environ)
        closing = close(*where, began=self.began, untouched=untouched, read=self._read)
        schedule(self.store, Tasks(trash=self.trash))
        schedule(self.store, closing.tasks)
        self.trash = []
        self._read = {}
        return closing.messages
