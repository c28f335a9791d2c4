"""One environment: made bare, or taken over from virtualenv, filled by plans, and looked at after its session."""

from __future__ import annotations

import itertools
import os
import time
from dataclasses import replace
from functools import partial
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
from nox_linkenv.env.installed import find_distributions, installed_pip, uninstall
from nox_linkenv.env.links import joined
from nox_linkenv.env.receipt import DIRECTORY, Receipt, donor_of, read_receipt, remove_receipt, write_receipt
from nox_linkenv.env.skeleton import Skeleton, copies_above, creator, fits, skeleton_name, stored_skeleton
from nox_linkenv.errors import CaptureError, EnvError, StoreUnwritableError
from nox_linkenv.linking.trace import trace
from nox_linkenv.provision.draft import Draft
from nox_linkenv.provision.gc_pause import without_collector
from nox_linkenv.provision.policy import Creation, Policy
from nox_linkenv.resolve.request import Outcome, Source
from nox_linkenv.store import Store
from nox_linkenv.store.directories import ancestors, leading_outside
from nox_linkenv.store.layout import Layout
from nox_linkenv.store.objects import discarded_inodes
from nox_linkenv.store.roots import Root, register_root
from nox_linkenv.store.store import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nox_linkenv.config import Settings
    from nox_linkenv.env.assembly.assembler import Assembler
    from nox_linkenv.env.installed import Distribution
    from nox_linkenv.env.plan import Plan
    from nox_linkenv.provision.session_end import Closing
    from nox_linkenv.resolve.cache import CachedResolution
    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.resolve.pip_arguments import Arguments
    from nox_linkenv.resolve.request import Course

__all__ = ["Environment"]


class Environment:
    """The environment at one place, whether it stands there or is to be made.

    Args:
        prefix: absolute path of the environment, with ``/``.
        settings: how it is made and filled.
        session: what the host calls the session.
        policy: what the host decides otherwise than nox does.
        clock: the seam to time; seconds since the epoch.

    Raises:
        StoreError: the store cannot be used.
    """

    def __init__(
        self,
        prefix: str,
        settings: Settings,
        *,
        session: str,
        policy: Policy | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.prefix = prefix
        self.settings = settings
        self.session = session
        self.policy = policy or Policy()
        self.clock = clock
        self.store = open_store(settings)
        if settings.remote and not settings.offline:
            self.store.remote = partial(_seek, settings)
        self.trash: list[str] = []
        self.notes: list[str] = []
        #: Why it was made by virtualenv, or is not linked, though it should be, in one line.
        self.not_linked: str | None = None
        self.began = clock()
        #: What the journal is to say of the session.
        self.draft = Draft(self.began)
        self._receipt: Receipt | None = None
        self._claimed = False
        self._assembler: Assembler | None = None
        self._read: dict[str, Plan | Skeleton] = {}  # until the end of the session, which looks at them again

    @property
    def assembler(self) -> Assembler:
        """What assembles the environment; how it links is found out when it is first asked for."""
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

    def forget_receipt(self) -> None:
        """Read the receipt again when it is next asked for: something else than this object has changed it."""
        self._receipt = None

    def finish_like(self, receipt: Receipt) -> None:
        """Write the *receipt* of another environment, which this one has become the same as."""
        self._receipt = replace(receipt, session=self.session)
        write_receipt(self.prefix, self._receipt)

    def ensure(self, interpreter: str, parameters: Sequence[str] | None, by_virtualenv: Callable[[], object]) -> bool:
        """Make the bare environment, or have virtualenv make it where only virtualenv can, and take that over.

        Without a pip in it that works it is not taken over: whatever is asked of it, the user gets python's own answer.

        Args:
            interpreter: absolute path of the interpreter asked for.
            parameters: of virtualenv; ``None`` where only virtualenv itself knows what they do.
            by_virtualenv: has virtualenv make it, with the host's own messages and errors.

        Returns:
            Whether it was made from the store.

        Raises:
            EnvError: the directory cannot be written.
            LinkenvError: the store cannot be used.
            Whatever *by_virtualenv* raises.
        """
        began = time.perf_counter()
        try:
            return self._ensure(interpreter, parameters, by_virtualenv)
        except BaseException:
            self.draft.creation = Creation.KEPT  # none was made
            raise
        finally:
            self.draft.making = time.perf_counter() - began

    def _ensure(self, interpreter: str, parameters: Sequence[str] | None, by_virtualenv: Callable[[], object]) -> bool:
        self.draft.creation = Creation.LINKED
        if parameters is not None:
            try:
                if self.create(interpreter, parameters):
                    return True
            except (CaptureError, StoreUnwritableError) as error:  # virtualenv's own message is the one to show
                trace("made by virtualenv", reason=str(error))
                self.not_linked = _in_one_line(f"virtualenv makes the environment: {error}")
        self._clear(None)
        self.draft.creation = Creation.VIRTUALENV
        by_virtualenv()
        try:
            self.adopt(interpreter)
        except EnvError as error:  # what is asked of it gets python's own answer
            if not {"--no-pip", "--without-pip"}.intersection(parameters or ()):
                self.not_linked = _in_one_line(f"the environment is left to virtualenv and pip: {error}")
            trace("not taken over", reason=str(error))
        return False

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
        previous = self._clear(name)
        if name is None or not fits(self.prefix) or copies_above(self.prefix, parameters):
            return False
        if not self.policy.is_free(self.prefix):
            return False
        skeleton = stored_skeleton(self.store, name) or self._capture(name, interpreter, parameters)
        if skeleton is None:
            return False
        os.makedirs(f"{self.prefix}/{DIRECTORY}")
        if previous is not None:
            os.rename(previous, donor_of(self.prefix))
            self.draft.creation = Creation.RECYCLED
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
        self.draft.volume = result.volume
        self._read[name] = skeleton
        receipt = Receipt(self.store.layout.root, interpreter, skeleton.facts, name, self.session)
        self._finish(with_link_source(receipt, self.assembler))
        return True

    def check(self) -> None:
        """Make sure that nothing is missing which the environment that stands there needs of its stores, and claim it.

        Raises:
            EnvError: a store has been moved or removed.
        """
        if self.receipt is not None:
            check_places(self.receipt, self.prefix)
            self._claim(self.receipt)

    def spread_edits(self) -> list[str]:
        """Return the paths of files in the environment that stands there which hold an edit found before.

        It was made through a link, here or in another environment; whoever would reuse this one makes it anew instead.
        """
        places = () if self.receipt is None else self.receipt.places
        if self.receipt is None or not any(discarded_inodes(Layout(place)) for place in places):
            return []
        from nox_linkenv.env.registry import spread_edits

        return spread_edits(self.store, self.prefix, self.receipt)

    def adopt(self, interpreter: str) -> None:
        """Take over an environment which virtualenv has made, so that requests can be linked into it.

        Raises:
            EnvError: its interpreter or its pip does not work.
            StoreUnwritableError: the store is full.
        """
        from nox_linkenv.env.interpreter.probe import learn
        from nox_linkenv.store.temporary import temporary_directory

        with writing(self.store.layout), temporary_directory(self.store.layout) as scratch:
            facts = learn(self.prefix, scratch, undo=True)
        self._finish(Receipt(self.store.layout.root, interpreter, facts, None, self.session))

    def meet_pip(self) -> str | None:
        """Take note of the pip that is in the environment now; return why it cannot be asked, in one clause.

        Raises:
            StoreError: the store cannot be used.
        """
        receipt = self.receipt
        if receipt is None:
            return None
        pip = installed_pip(self.prefix, receipt.facts)
        if pip is None:
            return "it cannot be told which pip the environment has"
        if not pip.reports:
            return f"pip {pip.version} cannot report what it would install"
        if pip.version != receipt.facts.pip:
            from nox_linkenv.env.interpreter.other_pip import facts_with

            try:
                facts = facts_with(pip, self.store, self.prefix, receipt.facts)
            except (EnvError, OSError):
                return f"pip {pip.version} does not work"
            self._receipt = replace(receipt, facts=facts)
            write_receipt(self.prefix, self._receipt)
        return None

    def leading_outside(self, plan: Plan) -> str | None:
        """Return a directory of *plan* which a link in the environment leads outside of it; ``None`` if there is none.

        pip would write there; nothing of ours does.
        """
        sites = () if self.receipt is None else self.receipt.facts.site_packages
        return leading_outside(self.prefix, [*itertools.chain(*map(ancestors, sites)), *plan.links.directories])

    @environment_errors
    def carry_out(
        self, plan: Plan, resolution: CachedResolution, arguments: Arguments, pip: Pip, course: Course
    ) -> Outcome:
        """Carry out the stored *plan* of *resolution*: uninstall what it replaces, link, write, leave a receipt.

        Args:
            arguments: of the request, for pip to fetch again what is damaged in the store.

        Raises:
            EnvError, LinkError, DamagedObjectError: it could not be; the environment has no receipt.
        """
        with block_removal(self.store, self.assembler):
            notes, (linked, copied) = self._fill(plan, resolution, arguments, pip)
        warnings, self.notes = (*self.notes, *notes), []
        return Outcome(
            installed=tuple((entry[0], entry[1]) for entry in plan.distributions),
            course=course,
            warnings=warnings,
            resolved=resolution.time,
            reading=resolution.reading,
            pip_seconds=resolution.pip_seconds,
            linked=linked,
            copied=copied,
        )

    def _fill(
        self, plan: Plan, resolution: CachedResolution, arguments: Arguments, pip: Pip
    ) -> tuple[Sequence[str], tuple[int, int]]:
        name, receipt = resolution.plan, self.receipt
        assert name is not None
        assert receipt is not None
        remove_receipt(self.prefix)
        for found in self.replaced([entry[0] for entry in plan.distributions]):
            uninstall(self.prefix, found, receipt.facts)
        applier = LinkApplier(self.store, self.assembler, receipt.facts, self.settings)
        contents = self.assembler.contents(plan)
        result = applier.apply_links(name, plan.links, [path for path, _ in plan.empty], contents)
        report = result.report
        notes = []
        linked = plan.links.selected(report.damaged)
        damaged = joined(linked, self.assembler.damaged([*plan.shebangs, *plan.copies]))
        if damaged.paths:
            from nox_linkenv.maintenance.repair import link_again, repair

            offline = self.settings.offline
            notes.append(repair(self.store, name, damaged, resolution.wheels, arguments, pip, offline=offline))
            link_again(self.assembler, linked, report)
        self.assembler.private(plan, contents=contents, kept=result.kept)
        self.assembler.touch(receipt.facts.site_packages)
        applier.record(name, result)
        self._read[name] = plan
        filled = replace(receipt, session=self.session, plans=(*receipt.plans, name))
        self._receipt = with_link_source(filled, self.assembler)
        write_receipt(self.prefix, self._receipt)
        return [*notes, *filter(None, [report.explain()])], result.volume

    def can_replace(self, resolution: CachedResolution) -> bool:
        """Return whether everything that *resolution* replaces has a RECORD by which it can be taken out."""
        return all(found.removable for found in self.replaced([wheel.name for wheel in resolution.wheels]))

    def replaced(self, names: Sequence[str]) -> list[Distribution]:
        """Return the installed distributions that installing *names* replaces."""
        from packaging.utils import canonicalize_name

        if self.receipt is None:
            return []
        canonical = {canonicalize_name(name) for name in names}
        return [found for found in find_distributions(self.prefix, self.receipt.facts) if found.name in canonical]

    def _capture(
        self, name: str, interpreter: str, parameters: Sequence[str], *, again: bool = False
    ) -> Skeleton | None:
        from nox_linkenv.env.capture import capture_as
        from nox_linkenv.progress import doing, shown

        self.policy.capturing(self.store)
        self.draft.creation = Creation.CAPTURED
        what = f"capturing what virtualenv makes for {os.path.basename(interpreter)}"
        with shown(self.policy.display()), doing(what):
            return capture_as(name, self.store, interpreter, parameters, again=again)

    def _finish(self, receipt: Receipt) -> None:
        self.began = self.clock()
        self._register(receipt)
        write_receipt(self.prefix, receipt)
        self._receipt = receipt

    def _claim(self, receipt: Receipt) -> None:
        """Let the store know that the environment which stands there is in use from now on, so that nobody removes it.

        Whoever removes environments looks once more before.
        """
        if not self._claimed:
            self._claimed = True
            self._register(receipt)

    def _register(self, receipt: Receipt, *, until: float = 0.0) -> None:
        """Let the store know of the environment, and a lower one if symlinks lead into it."""
        if not self.policy.registers(receipt):
            return
        below = [layout for layout in self.store.lower if receipt.symlinked and layout.root in receipt.places]
        for store in (self.store, *map(Store, below)):
            register_root(store, Root(self.prefix, self.session, self.began, until))

    @environment_errors
    def _clear(self, skeleton: str | None) -> str | None:
        """Move away what stands at the place; return where it is if the new environment can take over from it."""
        former = self.receipt
        if former is not None:
            self._claim(former)
        self._receipt = None
        cleared = self.policy.clear(self.prefix, former, lambda receipt: self._succeeds(receipt, skeleton))
        self.trash.extend(cleared.trash)
        return cleared.previous

    def _succeeds(self, former: Receipt, skeleton: str | None) -> bool:
        """Return whether an environment made of *skeleton* can take over from that of the receipt *former*."""
        return (
            skeleton is not None
            and former.skeleton == skeleton
            and former.store == self.store.layout.root
            and serves(former, self.assembler)
        )

    @without_collector
    def end_session(self, environ: Mapping[str, str], *, untouched: bool = False) -> Closing:
        """Look at the environment after its session; return what the session changed, and what is worth doing.

        Args:
            environ: the variables that the session's commands ran with.
            untouched: whether nothing has run in the environment since this object made it.
        """
        from nox_linkenv.provision.session_end import close

        if self.receipt is not None:
            self._register(self.receipt, until=self.clock())
        where = (self.store, self.prefix, self.receipt, self.settings, environ)
        closing = close(*where, began=self.began, untouched=untouched, read=self._read)
        closing.messages.extend(self.store.told())
        closing.tasks.trash.extend(self.trash)
        made = any(outcome.course.source is not Source.REUSED for outcome in self.draft.outcomes)
        closing.tasks.push = self.settings.writes_remote and made
        if made or closing.tasks.rehash:
            closing.tasks.max_size = self.settings.max_size
        self.trash = []
        self._read = {}
        if self.policy.host:
            self._note_down()
        return closing

    def _note_down(self) -> None:
        """Write into the journal what was done for the session."""
        from nox_linkenv.store.journal import append

        session = self.draft.session(
            run=self.policy.run(),
            host=self.policy.host,
            project=self.policy.project_directory(),
            name=self.session,
            prefix=self.prefix,
            ended=self.clock(),
            by_virtualenv=self.not_linked,
        )
        append(self.store.layout, [session], now=session.ended, days=self.settings.journal_days)
        self.draft = Draft(self.draft.opened)
        self.policy.ended(session)

    def close(self, environ: Mapping[str, str], *, untouched: bool = False) -> list[str]:
        """End the session as :meth:`end_session` does, and have what is worth doing done after this process.

        Returns:
            Lines that say what the session changed.
        """
        from nox_linkenv.maintenance.background import schedule

        closing = self.end_session(environ, untouched=untouched)
        schedule(self.store, closing.tasks)
        self.policy.closed(closing.tasks)
        return closing.messages


def _seek(settings: Settings, store: Store, names: Sequence[str]) -> bool:
    from nox_linkenv.remote.reading import reader_of

    return reader_of(settings).seek(store, names)


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
