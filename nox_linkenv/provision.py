"""From a request to an environment: the one entry that every plugin and the command line call."""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from nox_linkenv.collector import without_collector
from nox_linkenv.env.build import environment_errors
from nox_linkenv.env.links import joined
from nox_linkenv.env.plan import Plan
from nox_linkenv.env.receipt import DIRECTORY, Receipt, donor_of, read_receipt, remove_receipt, write_receipt
from nox_linkenv.env.skeleton import Skeleton, fits, skeleton_name, stored_skeleton
from nox_linkenv.errors import DamagedObjectError, OfflineError
from nox_linkenv.furnishing import builder_for, check_places, open_store, places_of, write_guard
from nox_linkenv.linking import LinkMode
from nox_linkenv.outfit import Outfit
from nox_linkenv.request import Outcome, Request
from nox_linkenv.resolve.arguments import Arguments, Kind, parse
from nox_linkenv.resolve.key import Key, Unkeyable, request_key
from nox_linkenv.resolve.memory import Remembered, recall
from nox_linkenv.store import Store
from nox_linkenv.store.roots import Root, register_root
from nox_linkenv.trash import donor_name, put_away, trash_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from nox_linkenv.config import Settings
    from nox_linkenv.env.build import Builder
    from nox_linkenv.env.installed import Distribution
    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.projects.key import ProjectKey
    from nox_linkenv.projects.requested import LocalProject
    from nox_linkenv.resolve.pip import Pip

__all__ = ["Outcome", "Provision", "Request", "ago"]


class Provision:
    """Provisions one environment.

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
        self._builder: Builder | None = None
        self._read: dict[str, Plan | Skeleton] = {}  # until the end of the session, which looks at them again

    @property
    def builder(self) -> Builder:
        """What builds the environment; how it links is found out when it is first asked for."""
        if self._builder is None:
            self._builder, note = builder_for(self.prefix, self.store, self.settings)
            self.notes.extend(filter(None, [note]))
        return self._builder

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
        name = skeleton_name(interpreter, parameters, creator=_creator(), environ=os.environ)
        donor = self._set_aside(name)
        if name is None or not fits(self.prefix):
            return False
        skeleton = stored_skeleton(self.store, name) or self._capture(name, interpreter, parameters)
        if skeleton is None:
            return False
        os.makedirs(f"{self.prefix}/{DIRECTORY}")
        if donor is not None:
            os.rename(donor, donor_of(self.prefix))
        with self._held():
            return self._furnish(name, skeleton, interpreter, parameters)

    def _furnish(self, name: str, skeleton: Skeleton | None, interpreter: str, parameters: Sequence[str]) -> bool:
        assert skeleton is not None
        outfit = Outfit(self.store, self.builder, skeleton.facts, self.settings)
        texts = self.builder.texts(skeleton)
        result = outfit.put_on(name, skeleton.links, [], texts)
        damaged = joined(skeleton.links.selected(result.report.damaged), self.builder.damaged(skeleton.copies))
        if damaged.paths:
            from nox_linkenv.repair import discard

            found = discard(self.store, damaged)
            self.notes.append(f"{found[0].upper()}{found[1:]}; the seeds have been stored again.")
            skeleton = self._capture(name, interpreter, parameters, again=True)
            if skeleton is None:
                return False
            texts = self.builder.texts(skeleton)
            result = outfit.put_on(name, skeleton.links, [], texts)
        self.builder.skeleton(skeleton, texts=texts, kept=result.kept)
        outfit.record(name, result)
        self._read[name] = skeleton
        self._finish(self._made(Receipt(self.store.layout.root, interpreter, skeleton.facts, name, self.session)))
        return True

    def check(self) -> None:
        """Make sure that nothing is missing which the environment that stands there needs of its stores.

        Raises:
            EnvError: a store has been moved or removed.
        """
        if self.receipt is not None:
            check_places(self.receipt, self.prefix)

    def _held(self) -> AbstractContextManager[None]:
        """Hold off removal from the store while an environment needs files in it and has no receipt that says so."""
        return self.store.locked() if self.builder.mode is LinkMode.SYMLINK else nullcontext()

    def _made(self, receipt: Receipt) -> Receipt:
        """Return *receipt* with how files have been linked, and guard a symlinked environment."""
        modes = dict.fromkeys((*(receipt.modes if receipt.sources else ()), self.builder.mode.value))
        receipt = replace(
            receipt, modes=tuple(modes), sources=tuple(dict.fromkeys((*receipt.sources, *places_of(self.builder))))
        )
        if receipt.symlinked:
            write_guard(receipt, self.prefix)
        return receipt

    def adopt(self, interpreter: str) -> None:
        """Take over an environment which virtualenv has made, so that requests can be linked into it.

        Raises:
            EnvError: its interpreter or its pip does not work.
        """
        import tempfile

        from nox_linkenv.env.probe import learn

        with tempfile.TemporaryDirectory(prefix="linkenv-") as scratch:
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
            and former.modes == (self.builder.mode.value,)
            and former.places == places_of(self.builder)
        )

    def install(self, request: Request, pip: Pip) -> Outcome:
        """Install what *request* asks for.

        Raises:
            OfflineError: offline mode is on and the answer to this request is not known.
            LinkenvError: a wheel was refused, or the store or the environment cannot be written.
            Whatever *pip* raises where pip fails.
        """
        receipt = self.receipt
        self.check()
        arguments = parse(request.arguments)
        if receipt is None or arguments is None:
            reason = "an option is not modelled" if receipt else "the environment is not one of ours"
            return self._ask(request, arguments, Unkeyable(reason), pip)
        key = self.key(request, arguments, receipt)
        full = key if isinstance(key, Key | Unkeyable) else key.full
        if isinstance(full, Key):
            answer = recall(self.store, full.digest)
            if answer is not None and self._fresh(answer) and _built_alike(answer, request):
                outcome = self._replay(answer, receipt, arguments, pip)
                if outcome is not None:
                    return outcome
        return self._ask(request, arguments, key, pip)

    @without_collector
    def close(self, environ: Mapping[str, str], *, untouched: bool = False) -> list[str]:
        """Look at the environment after its session; return lines that say what the session changed.

        What is worth preparing for the next session is scheduled for when this process has ended.

        Args:
            environ: the variables that the session's commands ran with.
            untouched: whether nothing has run in the environment since this object made it.
        """
        from nox_linkenv.closing import close
        from nox_linkenv.upkeep import Tasks, schedule

        if self.receipt is not None:
            self._register(self.receipt, until=self.clock())
        where = (self.store, self.prefix, self.receipt, self.settings, environ)
        closing = close(*where, began=self.began, untouched=untouched, read=self._read)
        schedule(self.store, Tasks(trash=self.trash))
        schedule(self.store, closing.tasks)
        self.trash = []
        self._read = {}
        return closing.messages

    def key(self, request: Request, arguments: Arguments, receipt: Receipt) -> Key | ProjectKey | Unkeyable:
        """Return the key of *request* as things stand."""
        from nox_linkenv.env.installed import installed_digest

        installed = installed_digest(self.prefix, receipt.facts)
        if installed is None:
            return Unkeyable("packages from outside of the environment are visible in it")
        if self.settings.reuse_builds and any(map(os.path.isdir, _paths(arguments, request.directory))):
            from nox_linkenv.projects.key import project_key

            found = project_key(
                request,
                arguments,
                prefix=self.prefix,
                facts=receipt.facts,
                installed=installed,
                look=lambda project: self.look(project, request),
            )
            if found is not None:
                return found
        return request_key(
            arguments,
            verbatim=request.arguments,
            environ=request.environ,
            directory=request.directory,
            prefix=self.prefix,
            facts=receipt.facts,
            installed=installed,
        )

    def look(self, project: LocalProject, request: Request) -> Tree:
        """Return the tree of *project* as *request* is to see it.

        Raises:
            UnknownTreeError: it cannot be told what a build of it sees.
        """
        from nox_linkenv.projects.key import look

        return look(self.store, project, request, self.prefix)

    def unsettled(self, tree: Tree) -> Tree | None:
        """Return a tree in whose stead a build is kept that was made while the project was no more like *tree*.

        Where nobody has decided to see the project as it was, there is none: such a build is not kept.
        """
        return None

    def _fresh(self, answer: Remembered) -> bool:
        if self.settings.offline:
            return True
        age, limit = self.clock() - answer.time, self.settings.resolution_age
        return limit > 0 and (answer.pinned or 0 <= age < limit)

    @without_collector
    def _replay(self, answer: Remembered, receipt: Receipt, arguments: Arguments, pip: Pip) -> Outcome | None:
        """Carry out the plan of a remembered answer; ``None`` where the store has lost it."""
        age = ago(self.clock() - answer.time)
        if answer.plan is None:
            return Outcome((), f"reused the resolution of {age}: all is there")
        text = self.store.use(answer.plan)
        if text is None:
            return None
        try:
            plan = Plan.loads(text)
        except (ValueError, KeyError, TypeError):
            return None
        return self.carry_out(
            answer.plan, plan, receipt, answer, arguments, pip, message=f"reused the resolution of {age}"
        )

    @environment_errors
    def carry_out(
        self,
        name: str,
        plan: Plan,
        receipt: Receipt,
        answer: Remembered,
        arguments: Arguments,
        pip: Pip,
        *,
        message: str,
    ) -> Outcome:
        """Carry out the stored *plan*: uninstall what it replaces, link, write, and leave a receipt.

        Raises:
            EnvError, LinkError, DamagedObjectError: it could not be; the environment has no receipt.
        """
        with self._held():
            return self._carry_out(name, plan, receipt, answer, arguments, pip, message)

    def _carry_out(
        self,
        name: str,
        plan: Plan,
        receipt: Receipt,
        answer: Remembered,
        arguments: Arguments,
        pip: Pip,
        message: str,
    ) -> Outcome:
        remove_receipt(self.prefix)
        for found in self.replaced([entry[0] for entry in plan.distributions], receipt):
            from nox_linkenv.env.installed import uninstall

            uninstall(self.prefix, found, receipt.facts)
        outfit = Outfit(self.store, self.builder, receipt.facts, self.settings)
        contents = self.builder.contents(plan)
        result = outfit.put_on(name, plan.links, [path for path, _ in plan.empty], contents)
        report = result.report
        notes = []
        linked = plan.links.selected(report.damaged)
        damaged = joined(linked, self.builder.damaged([*plan.shebangs, *plan.copies]))
        if damaged.paths:
            from nox_linkenv.repair import repair

            notes.append(repair(self.store, damaged, answer.wheels, arguments, pip, offline=self.settings.offline))
            again = self.builder.link(linked)
            if again.damaged:
                raise DamagedObjectError(
                    "Stored files are gone again as soon as they have been stored",
                    path=f"{self.store.layout.base}/{linked.sources[again.damaged[0]]}",
                    remedy="Something removes or edits the store's files; linkenv verify names them.",
                )
            report.copied.update(again.copied)
        self.builder.private(plan, contents=contents, kept=result.kept)
        self.builder.touch(receipt.facts.site_packages)
        outfit.record(name, result)
        self._read[name] = plan
        self._receipt = self._made(replace(receipt, session=self.session, plans=(*receipt.plans, name)))
        write_receipt(self.prefix, self._receipt)
        installed = tuple((entry[0], entry[1]) for entry in plan.distributions)
        warnings = [*self.notes, *notes, *filter(None, [report.explain()])]
        self.notes = []
        return Outcome(installed, message, tuple(warnings))

    def replaced(self, names: Sequence[str], receipt: Receipt) -> list[Distribution]:
        """Return the installed distributions that installing *names* replaces."""
        from packaging.utils import canonicalize_name

        from nox_linkenv.env.installed import find_distributions

        canonical = {canonicalize_name(name) for name in names}
        return [found for found in find_distributions(self.prefix, receipt.facts) if found.name in canonical]

    def _ask(
        self, request: Request, arguments: Arguments | None, key: Key | ProjectKey | Unkeyable, pip: Pip
    ) -> Outcome:
        if not isinstance(key, Key | Unkeyable):
            from nox_linkenv.building import answer

            assert arguments is not None
            found = answer(self, request, arguments, key, pip)
            if isinstance(found, Outcome):
                return found
            key = found
        if self.settings.offline:
            why = f": {key.reason}" if isinstance(key, Unkeyable) else ""
            raise OfflineError(
                f"Offline, and no resolution of this request is remembered{why}",
                remedy="Run once without LINKENV_OFFLINE, with the network there.",
            )
        from nox_linkenv.asking import ask

        return ask(self, request, arguments, key, pip)


def _paths(arguments: Arguments, directory: str) -> Iterator[str]:
    """Yield the requirements of *arguments* as the paths that they may be."""
    for requirement in [*arguments.requirements, *arguments.values(Kind.EDITABLE)]:
        yield os.path.join(directory, requirement.partition("[")[0].rstrip())


def _built_alike(answer: Remembered, request: Request) -> bool:
    """Return whether what was built for *answer* would be built the same way now."""
    if answer.surroundings is None:
        return True
    from nox_linkenv.projects.variables import surroundings_digest

    return answer.surroundings == surroundings_digest(request.environ)


def _creator() -> str:
    """Return what else decides how virtualenv makes an environment: its version and the interpreter that runs it.

    The version is read off the name of its metadata directory, which spares the parser of metadata.
    """
    from importlib.util import find_spec

    spec = find_spec("virtualenv")
    origin = spec.origin if spec is not None and spec.origin is not None else ""
    site = os.path.dirname(os.path.dirname(origin)) or "."
    names = sorted(name for name in os.listdir(site) if name.startswith("virtualenv-"))
    return f"{origin} {' '.join(names)} {sys.executable}"


def ago(seconds: float) -> str:
    """Return in words how long ago *seconds* were."""
    if seconds < 60:
        return f"{max(0, round(seconds))} s ago"
    if seconds < 3600:
        return f"{round(seconds / 60)} min ago"
    return f"{round(seconds / 3600)} h ago"
