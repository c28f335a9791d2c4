"""From a request to an environment: the one entry that every plugin and the command line call."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from nox_linkenv.env.assembly.apply import LinkApplier, stored_plan
from nox_linkenv.env.assembly.assembler import environment_errors
from nox_linkenv.env.assembly.link_source import block_removal, with_link_source
from nox_linkenv.env.links import joined
from nox_linkenv.env.receipt import Receipt, remove_receipt, write_receipt
from nox_linkenv.provision.environment import Environment
from nox_linkenv.provision.gc_pause import without_collector
from nox_linkenv.resolve.cache import CachedResolution, ago, load_resolution
from nox_linkenv.resolve.key import Key, Unkeyable, request_key
from nox_linkenv.resolve.pip_arguments import Arguments, Kind, parse
from nox_linkenv.resolve.request import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nox_linkenv.env.installed import Distribution
    from nox_linkenv.env.plan import Plan
    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.projects.key import ProjectKey
    from nox_linkenv.projects.requirements import LocalProject
    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.resolve.request import Request

__all__ = ["Provision"]


class Provision(Environment):
    """Provisions one environment: installs in it what is asked for."""

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
            answer = load_resolution(self.store, full.digest)
            if answer is not None and self._holds(answer, request):
                outcome = self._replay(answer, receipt, arguments, pip)
                if outcome is not None:
                    return outcome
        return self._ask(request, arguments, key, pip)

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

    def pinned_tree(self, tree: Tree) -> Tree | None:
        """Return a tree in whose stead a build is kept that was made while the project was no more like *tree*.

        Where nobody has decided to see the project as it was, there is none: such a build is not kept.
        """
        return None

    def _holds(self, answer: CachedResolution, request: Request) -> bool:
        """Return whether *answer* is young enough, and what was built for it would be built the same way now."""
        if not self.settings.offline and not answer.is_fresh(self.clock(), self.settings.resolution_age):
            return False
        if answer.build_inputs is None:
            return True
        from nox_linkenv.projects.build_inputs import build_inputs_digest

        return answer.build_inputs == build_inputs_digest(request.environ)

    @without_collector
    def _replay(self, answer: CachedResolution, receipt: Receipt, arguments: Arguments, pip: Pip) -> Outcome | None:
        """Carry out the plan of a remembered answer; ``None`` where the store has lost it."""
        message = f"reused the resolution of {ago(self.clock() - answer.time)}"
        if answer.plan is None:
            return Outcome((), f"{message}: all is there")
        plan = stored_plan(self.store, answer.plan)
        if plan is None:
            return None
        return self.carry_out(answer.plan, plan, receipt, answer, arguments, pip, message=message)

    @environment_errors
    def carry_out(
        self,
        name: str,
        plan: Plan,
        receipt: Receipt,
        answer: CachedResolution,
        arguments: Arguments,
        pip: Pip,
        *,
        message: str,
    ) -> Outcome:
        """Carry out the stored *plan*: uninstall what it replaces, link, write, and leave a receipt.

        Raises:
            EnvError, LinkError, DamagedObjectError: it could not be; the environment has no receipt.
        """
        with block_removal(self.store, self.assembler):
            notes = self._put_in(name, plan, receipt, answer, arguments, pip)
        warnings, self.notes = (*self.notes, *notes), []
        return Outcome(tuple((entry[0], entry[1]) for entry in plan.distributions), message, warnings)

    def _put_in(
        self, name: str, plan: Plan, receipt: Receipt, answer: CachedResolution, arguments: Arguments, pip: Pip
    ) -> Sequence[str]:
        remove_receipt(self.prefix)
        for found in self.replaced([entry[0] for entry in plan.distributions], receipt):
            from nox_linkenv.env.installed import uninstall

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

            notes.append(repair(self.store, damaged, answer.wheels, arguments, pip, offline=self.settings.offline))
            link_again(self.assembler, linked, report)
        self.assembler.private(plan, contents=contents, kept=result.kept)
        self.assembler.touch(receipt.facts.site_packages)
        applier.record(name, result)
        self._read[name] = plan
        self._receipt = with_link_source(
            replace(receipt, session=self.session, plans=(*receipt.plans, name)), self.assembler
        )
        write_receipt(self.prefix, self._receipt)
        return [*notes, *filter(None, [report.explain()])]

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
            from nox_linkenv.provision.local import answer

            assert arguments is not None
            found = answer(self, request, arguments, key, pip)
            if isinstance(found, Outcome):
                return found
            key = found
        from nox_linkenv.provision.cold import ask

        return ask(self, request, arguments, key, pip)


def _paths(arguments: Arguments, directory: str) -> Iterator[str]:
    """Yield the requirements of *arguments* as the paths that they may be."""
    for requirement in [*arguments.requirements, *arguments.values(Kind.EDITABLE)]:
        yield os.path.join(directory, requirement.partition("[")[0].rstrip())
