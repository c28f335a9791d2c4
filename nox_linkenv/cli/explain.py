"""``linkenv explain``: where a file of an environment came from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.cli.options import known_environments, opened, set_completer, settings_of
from nox_linkenv.env.bytecode import read_bytecode
from nox_linkenv.env.contents import contents
from nox_linkenv.env.plan import Plan
from nox_linkenv.env.receipt import read_receipt
from nox_linkenv.env.skeleton import Skeleton
from nox_linkenv.errors import EnvError
from nox_linkenv.maintenance.disk_usage import shared_extents
from nox_linkenv.store.layout import Layout

if TYPE_CHECKING:
    import argparse

    from nox_linkenv.cli.output import Output
    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.store import Store

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Say which wheel and which object the file PATH of the environment ENV came from, and how it is connected "
    "with the store. Exit code 1 where nothing is known of it."
)
EXAMPLES: Final = {
    "linkenv explain .nox/tests-3-12 numpy/__init__.py": "where this module came from",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    environment = parser.add_argument("env", metavar="ENV", help="directory of the environment")
    set_completer(environment, known_environments)
    parser.add_argument("path", metavar="PATH", help="file, absolute or relative to ENV or to its site-packages")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Explain."""
    prefix = os.path.realpath(arguments.env)
    receipt = read_receipt(prefix)
    if receipt is None:
        raise EnvError("This is no finished environment of nox-linkenv", path=prefix, remedy="linkenv envs lists them.")
    if not arguments.store:
        arguments.store = receipt.store
    store = opened(settings_of(arguments))
    path = _relative(prefix, receipt, arguments.path)
    if path is None:
        raise EnvError("There is no such file in the environment", path=arguments.path, remedy="Name an existing one.")
    found = {"path": path, "environment": prefix, **_origin(store, prefix, receipt, path)}
    output.data(found)
    output.line(f"{path} in {prefix}")
    for name in ("origin", "wheel", "wheel_sha256", "object", "mode", "state"):
        if found.get(name) is not None:
            output.line(f"  {name.replace('_', ' ')}: {found[name]}")
    return 0 if found["origin"] != "unknown" else 1


def _relative(prefix: str, receipt: Receipt, name: str) -> str | None:
    places = [os.path.join(prefix, name), *(os.path.join(prefix, site, name) for site in receipt.facts.site_packages)]
    for place in [os.path.abspath(name), *places] if os.path.isabs(name) or os.path.lexists(name) else places:
        inside = os.path.join(os.path.realpath(os.path.dirname(place)), os.path.basename(place))
        if inside.startswith(prefix + os.sep) and os.path.lexists(inside):
            return os.path.relpath(inside, prefix)
    return None


def _origin(store: Store, prefix: str, receipt: Receipt, path: str) -> dict[str, Any]:
    """Return what is known of the file *path* (relative to the environment)."""
    for content in contents(store, prefix, receipt):
        current = set(content.current)
        for at, linked in enumerate(content.links.paths):
            if linked == path and at in current:
                wheel = _wheel(store, content.name, at)
                source = content.links.sources[at]
                return {"origin": "linked from the store", **wheel, **_connection(receipt, prefix, path, source)}
        bytecode = read_bytecode(store, content.name, receipt.facts, content.links)
        if bytecode is not None and path in bytecode.links.paths:
            source = bytecode.links.sources[bytecode.links.paths.index(path)]
            return {"origin": "bytecode shared by the store", **_connection(receipt, prefix, path, source)}
        if path in content.empty:
            return {"origin": "an empty file of a wheel: written, not linked", "mode": "written"}
        plan = None if content.name == receipt.skeleton else store.load(content.name, Plan.from_json)
        for kind in ("texts", "shebangs", "records", "copies") if plan is not None else ():
            if any(entry[0] == path for entry in getattr(plan, kind)):
                return {"origin": "written for this environment, as its wheel or pip says", "mode": "written"}
    skeleton = store.load(receipt.skeleton, Skeleton.from_json) if receipt.skeleton else None
    bare = () if skeleton is None else (*skeleton.texts, *skeleton.symlinks, *skeleton.copies)
    if any(entry[0] == path for entry in bare):
        return {"origin": "of the bare environment, as virtualenv makes it", "mode": "written"}
    return {"origin": "unknown", "state": "it was made after the installation, or by something else"}


def _wheel(store: Store, name: str, position: int) -> dict[str, Any]:
    """Return which distribution of the plan *name* the link at *position* belongs to."""
    plan = store.load(name, Plan.from_json)
    for entry in reversed(() if plan is None else plan.distributions):
        if entry[4] <= position:
            return {"wheel": f"{entry[0]} {entry[1]}", "wheel_sha256": entry[3]}
    return {"wheel": "seeded by virtualenv"}


def _connection(receipt: Receipt, prefix: str, path: str, source: str) -> dict[str, Any]:
    """Return how the file is connected with the *source* in its store."""
    file = os.path.join(prefix, path)
    candidates = [os.path.join(Layout(place).base, source) for place in receipt.places]
    stored = next(filter(os.path.exists, candidates), candidates[0])
    found: dict[str, Any] = {"object": stored}
    status = os.lstat(file)
    if os.path.islink(file):
        return {**found, "mode": "symlink", "state": "as linked" if os.path.exists(file) else "its object is gone"}
    try:
        original = os.lstat(stored)
    except FileNotFoundError:
        return {**found, "mode": "hardlink or copy", "state": "the store has its object no longer"}
    alike = (status.st_size, status.st_mtime_ns) == (original.st_size, original.st_mtime_ns)
    if os.path.samestat(status, original):
        mode = "hardlink"
    else:
        mode = "clone" if set(shared_extents(file)) & set(shared_extents(stored)) else "copy"
    return {**found, "mode": mode, "state": "as linked" if alike else "changed since"}
