"""The cold path: asking pip, getting wheels, making plans, remembering the answer."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_linkenv.env.bytecode import index_bytecode, sources
from nox_linkenv.env.plan import CollisionError, Installable, Plan, make_plan
from nox_linkenv.errors import OfflineError
from nox_linkenv.projects.build_inputs import build_inputs_digest
from nox_linkenv.projects.sdist_cache import SourceBuilds
from nox_linkenv.resolve.cache import CachedResolution, WheelSource, last_inputs, save_resolution
from nox_linkenv.resolve.fetch import fetch
from nox_linkenv.resolve.inputs import changed
from nox_linkenv.resolve.key import Key, Unkeyable
from nox_linkenv.resolve.pip_arguments import Arguments, Kind
from nox_linkenv.resolve.report import Origin, Resolved, parse_report
from nox_linkenv.resolve.request import Outcome, Request
from nox_linkenv.resolve.unsupported import configures_builds, unmodelled
from nox_linkenv.store.temporary import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.provision.installer import Provision
    from nox_linkenv.resolve.pip import Pip
    from nox_linkenv.store import Manifest, Store
    from nox_linkenv.store.layout import Layout

__all__ = ["ask", "keep", "reported", "resolve", "wheels_of"]


def ask(
    provision: Provision,
    request: Request,
    arguments: Arguments | None,
    key: Key | Unkeyable,
    pip: Pip,
    *,
    resolved: Sequence[Resolved] | None = None,
) -> Outcome:
    """Let pip answer *request*, and carry its answer out; or leave the request to pip altogether.

    Args:
        resolved: pip's answer, where it has been asked already.

    Raises:
        OfflineError: offline mode is on.
        LinkenvError: a wheel was refused, or the store or the environment cannot be written.
        Whatever *pip* raises where pip fails.
    """
    if provision.settings.offline:
        why = f": {key.reason}" if isinstance(key, Unkeyable) else ""
        raise OfflineError(
            f"Offline, and no resolution of this request is remembered{why}",
            remedy="Run once without LINKENV_OFFLINE, with the network there.",
        )
    receipt = provision.receipt
    if receipt is None or arguments is None:
        assert isinstance(key, Unkeyable)
        return _delegate(request, pip, key.reason)
    reason = unmodelled(request.environ, provision.prefix, request.directory)
    if reason is not None:
        return _delegate(request, pip, reason)
    why = _why(provision, request, key)
    resolved = resolve(pip, provision.store.layout) if resolved is None else resolved
    if resolved is None:
        return Outcome((), "pip failed, and that was allowed")
    names = {canonicalize_name(item.name) for item in resolved}
    if "pip" in names:
        return _delegate(request, pip, "pip itself is to be replaced")
    if not all(found.removable for found in provision.replaced(list(names), receipt)):
        return _delegate(request, pip, "a distribution without a RECORD is to be replaced")
    linked = [item for item in resolved if item.origin is not Origin.EDITABLE]
    editable = [item for item in resolved if item.origin is Origin.EDITABLE]
    builds = SourceBuilds(provision.store, request, arguments, provision.prefix, receipt)
    built = any(_is_built(item) for item in linked)
    if built and configures_builds(arguments, request.environ, provision.prefix, request.directory):
        return _delegate(request, pip, "settings for build backends are given")
    manifests = wheels_of(linked, builds, provision.store, arguments, pip)
    if manifests is None:
        return _delegate(request, pip, "a wheel could not be fetched or built by itself")
    wheels = [Installable(manifests[item.name], item.requested, item.direct_url) for item in linked]
    try:
        plan = make_plan(wheels, receipt.facts)
    except CollisionError as collision:
        return _delegate(request, pip, f"two wheels hold {collision}")
    name = keep(provision, wheels, plan, receipt) if wheels else None
    answer = CachedResolution(
        time=provision.clock(),
        pinned=isinstance(key, Key) and key.pinned,
        plan=name,
        wheels=tuple(WheelSource(item.name, manifests[item.name].digest, _again(item)) for item in linked),
        build_inputs=build_inputs_digest(request.environ) if built else None,
    )
    if isinstance(key, Key) and key == provision.key(request, arguments, receipt):  # nothing changed meanwhile
        save_resolution(
            provision.store, key.digest, answer, place=(provision.prefix, *request.arguments), inputs=key.inputs
        )
    outcome = Outcome((), f"asked pip: {why}; nothing to install")
    if name is not None:
        outcome = provision.carry_out(name, plan, receipt, answer, arguments, pip, message=f"asked pip: {why}")
    if editable:
        _install_editable(editable, arguments, pip)
    return outcome


def wheels_of(
    items: Sequence[Resolved], builds: SourceBuilds, store: Store, arguments: Arguments, pip: Pip
) -> dict[str, Manifest] | None:
    """Return the manifest of each of *items* by its name; ``None`` where pip could not fetch or build one of them."""
    known = builds.known(items)
    rest = [item for item in items if item.name not in known]
    found = fetch(store, rest, arguments, pip)
    if found is None:
        return None
    builds.keep(rest, found)
    return {**known, **found}


def resolve(pip: Pip, layout: Layout) -> list[Resolved] | None:
    """Return what pip would install, ``None`` where it failed and that was allowed."""
    text = reported(pip.ask, layout)
    return None if text is None else parse_report(text)


def reported(run: Callable[[Sequence[str]], bool], layout: Layout) -> str | None:
    """Return the report of pip that *run* has it write, given options which also keep it from installing.

    Returns ``None`` where *run* returns false, or pip has written none.
    """
    with temporary_directory(layout) as directory:
        report = Path(directory) / "report.json"
        if not run(["--dry-run", "--report", str(report)]) or not report.exists():
            return None
        return report.read_text(encoding="utf-8")


def keep(provision: Provision, wheels: Sequence[Installable], plan: Plan, receipt: Receipt) -> str:
    """Store *plan* under a name that says all it was made from, and which bytecode there is for it."""
    parts = [[wheel.manifest.digest, wheel.requested, wheel.direct_url] for wheel in wheels]
    digest = hashlib.sha256(json.dumps([parts, receipt.facts.to_json()], sort_keys=True).encode()).hexdigest()
    name = f"plans/{digest[:2]}/{digest[2:]}.json"
    provision.store.note(name, plan.dumps())
    if provision.settings.bytecode:
        modules = sources(plan.links, [path for path, _ in plan.empty], receipt.facts)
        index_bytecode(provision.store, name, modules, receipt.facts)
    return name


def _install_editable(editable: Sequence[Resolved], arguments: Arguments, pip: Pip) -> None:
    """Let pip install projects in editable mode: only its build backend knows what that means."""
    paths = [value for item in editable for value in ("-e", _path(item))]
    pip.install(["--no-deps", *arguments.again(Kind.INDEX, Kind.BUILD, Kind.OUTPUT), *paths])


def _path(item: Resolved) -> str:
    path = item.path or item.url
    return f"{path}[{','.join(item.extras)}]" if item.extras else path


def _is_built(item: Resolved) -> bool:
    return item.origin is not Origin.WHEEL


def _again(item: Resolved) -> str:
    return "" if item.origin is Origin.DIRECTORY else item.requirement()


def _why(provision: Provision, request: Request, key: Key | Unkeyable) -> str:
    if isinstance(key, Unkeyable):
        return key.reason
    before = last_inputs(provision.store, (provision.prefix, *request.arguments))
    if before is None:
        return "this request is new"
    return changed(before, key.inputs) or "the resolution is too old"


def _delegate(request: Request, pip: Pip, reason: str) -> Outcome:
    """Let real pip carry out the request untouched; its result is the user's."""
    pip.install(request.arguments)
    return Outcome((), f"left to pip: {reason}")
