"""From a request to an environment: the one entry that every plugin and the command line call."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nox_linkenv.config import Settings
from nox_linkenv.env.build import Builder
from nox_linkenv.env.plan import CollisionError, Installable, Plan, make_plan
from nox_linkenv.env.receipt import Receipt, read_receipt, remove_receipt, write_receipt
from nox_linkenv.env.skeleton import Skeleton, capture, fits, skeleton_name
from nox_linkenv.errors import DamagedObjectError
from nox_linkenv.resolve.pip import Pip
from nox_linkenv.store import Store

if TYPE_CHECKING:
    from nox_linkenv.resolve.arguments import Arguments
    from nox_linkenv.resolve.report import Resolved
    from nox_linkenv.store import Manifest

__all__ = ["Provision", "Request", "Outcome"]


@dataclass(frozen=True, slots=True)
class Request:
    """One ``pip install`` in an environment.

    Args:
        arguments: those of ``pip install``, verbatim.
        environ: the variables it runs with.
        directory: the directory it runs in.
    """

    arguments: tuple[str, ...]
    environ: Mapping[str, str]
    directory: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request.

    Args:
        installed: name and version of what has been linked.
        message: one line that says what was done and why.
        warning: one line about files that were copied, if any were.
    """

    installed: tuple[tuple[str, str], ...]
    message: str
    warning: str | None = None


class Provision:
    """Provisions one environment.

    Args:
        prefix: absolute path of the environment.
        settings: how.
        session: what the host calls the session.
    """

    def __init__(self, prefix: str, settings: Settings, *, session: str) -> None:
        self.prefix = prefix
        self.settings = settings
        self.session = session
        self.store = Store.open(settings.store_root)
        self._receipt: Receipt | None = None

    @property
    def finished(self) -> bool:
        """Whether a finished environment of ours stands there."""
        return read_receipt(self.prefix) is not None

    def create(self, interpreter: str, parameters: Sequence[str]) -> bool:
        """Make the bare environment, replacing what stands there.

        Args:
            interpreter: absolute path of the base interpreter.
            parameters: of virtualenv.

        Returns:
            False where only virtualenv itself can make this one; :meth:`adopt` it then.

        Raises:
            EnvError: virtualenv refuses the interpreter.
            LinkenvError: the store or the directory cannot be used.
        """
        self.remove()
        name = skeleton_name(interpreter, parameters, creator=_creator())
        if name is None or not fits(self.prefix):
            return False
        skeleton = self._skeleton(name, interpreter, parameters)
        if skeleton is None:
            return False
        builder = Builder(self.prefix, self.store.layout, mode=self.settings.link_mode)
        try:
            builder.skeleton(skeleton)
        except DamagedObjectError:
            self.remove()
            skeleton = self._capture(name, interpreter, parameters)
            if skeleton is None:
                return False
            builder.skeleton(skeleton)
        self._receipt = Receipt(self.store.layout.root, interpreter, skeleton.facts, name, self.session)
        write_receipt(self.prefix, self._receipt)
        return True

    def adopt(self, interpreter: str) -> None:
        """Take over an environment which virtualenv has made, so that requests can be linked into it.

        Raises:
            EnvError: its interpreter or its pip does not work.
        """
        from nox_linkenv.env.probe import learn

        with tempfile.TemporaryDirectory(prefix="linkenv-") as scratch:
            facts = learn(self.prefix, scratch, undo=True)
        self._receipt = Receipt(self.store.layout.root, interpreter, facts, None, self.session)
        write_receipt(self.prefix, self._receipt)

    def remove(self) -> None:
        """Remove the environment, whatever it is."""
        remove_receipt(self.prefix)
        if os.path.islink(self.prefix) or os.path.isfile(self.prefix):
            os.unlink(self.prefix)
        elif os.path.isdir(self.prefix):
            shutil.rmtree(self.prefix)

    def install(self, request: Request, pip: Pip) -> Outcome:
        """Install what *request* asks for.

        Raises:
            LinkenvError: a wheel was refused, or the store or the environment cannot be written.
            Whatever *pip* raises where pip fails.
        """
        from nox_linkenv.resolve.arguments import parse
        from nox_linkenv.resolve.unmodelled import unmodelled

        receipt = self._receipt or read_receipt(self.prefix)
        if receipt is None:
            return self._delegate(request, pip, "this environment is not one of ours")
        arguments = parse(request.arguments)
        if arguments is None:
            return self._delegate(request, pip, "it has an option that is not modelled")
        reason = unmodelled(request.environ, self.prefix)
        if reason is not None:
            return self._delegate(request, pip, reason)
        resolved = self._ask(request, pip)
        if resolved is None:
            return Outcome((), "pip failed, and that was allowed")
        return self._carry_out(request, arguments, resolved, receipt, pip)

    def _ask(self, request: Request, pip: Pip) -> list[Resolved] | None:
        from nox_linkenv.resolve.report import parse_report

        with tempfile.TemporaryDirectory(prefix="linkenv-") as directory:
            report = Path(directory) / "report.json"
            if not pip.ask(["--dry-run", "--report", str(report)]) or not report.exists():
                return None
            return parse_report(report.read_text(encoding="utf-8"))

    def _carry_out(
        self, request: Request, arguments: Arguments, resolved: list[Resolved], receipt: Receipt, pip: Pip
    ) -> Outcome:
        from packaging.utils import canonicalize_name

        from nox_linkenv.env.installed import find_distributions, uninstall
        from nox_linkenv.resolve.arguments import Kind
        from nox_linkenv.resolve.fetch import fetch
        from nox_linkenv.resolve.report import Origin

        if not resolved:
            return Outcome((), "nothing to install: pip says that all is there")
        names = {canonicalize_name(item.name) for item in resolved}
        if "pip" in names:
            return self._delegate(request, pip, "pip itself is to be replaced")
        replaced = [found for found in find_distributions(self.prefix, receipt.facts) if found.name in names]
        if not all(found.removable for found in replaced):
            return self._delegate(request, pip, "a distribution without a RECORD is to be replaced")
        linked = [item for item in resolved if item.origin is not Origin.EDITABLE]
        editable = [item for item in resolved if item.origin is Origin.EDITABLE]
        manifests = fetch(self.store, linked, arguments, pip)
        if manifests is None:
            return self._delegate(request, pip, "a wheel could not be fetched by itself")
        wheels = [Installable(manifests[item.name], item.requested, item.direct_url) for item in linked]
        try:
            plan = make_plan(wheels, receipt.facts)
        except CollisionError as collision:
            return self._delegate(request, pip, f"two wheels hold {collision}")
        remove_receipt(self.prefix)
        builder = Builder(self.prefix, self.store.layout, mode=self.settings.link_mode)
        kept = {canonicalize_name(item.name) for item in editable}
        for found in replaced:
            if found.name not in kept:
                uninstall(self.prefix, found, receipt.facts)
        report = builder.install(plan)
        if report.damaged:
            report = self._repair(plan, report.damaged, linked, manifests, arguments, pip, builder)
        builder.touch(receipt.facts.site_packages)
        self._receipt = replace(receipt, session=self.session)
        write_receipt(self.prefix, self._receipt)
        if editable:
            paths = [value for item in editable for value in ("-e", _editable(item))]
            pip.install(["--no-deps", *arguments.again(Kind.INDEX, Kind.BUILD, Kind.OUTPUT), *paths])
        installed = tuple((item.name, item.version) for item in resolved)
        return Outcome(installed, "asked pip", report.explain())

    def _repair(
        self,
        plan: Plan,
        damaged: Sequence[int],
        linked: Sequence[Resolved],
        manifests: Mapping[str, Manifest],
        arguments: Arguments,
        pip: Pip,
        builder: Builder,
    ):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def _delegate(self, request: Request, pip: Pip, reason: str) -> Outcome:
        """Let real pip carry out the request untouched; its result is the user's."""
        pip.install(request.arguments)
        return Outcome((), f"left to pip: {reason}")

    def _skeleton(self, name: str, interpreter: str, parameters: Sequence[str]) -> Skeleton | None:
        text = self.store.read(name)
        if text is not None:
            try:
                return Skeleton.loads(text)
            except (KeyError, TypeError, ValueError):
                pass
        return self._capture(name, interpreter, parameters)

    def _capture(self, name: str, interpreter: str, parameters: Sequence[str]) -> Skeleton | None:
        with self.store.locked_for(name.removeprefix("skeletons/")):
            skeleton = capture(self.store, interpreter, parameters)
            if skeleton is not None:
                self.store.publish(name, skeleton.dumps())
        return skeleton


def _creator() -> str:
    """Return what else decides how virtualenv makes an environment: its version and the interpreter that runs it."""
    from importlib.metadata import version

    return f"virtualenv {version('virtualenv')} {sys.executable}"


def _editable(item: Resolved) -> str:
    return f"{item.path}[{','.join(item.extras)}]" if item.extras else str(item.path)
