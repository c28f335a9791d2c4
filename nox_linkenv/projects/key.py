"""The key of a request with local projects in it: that of the rest of it, and what the builds see."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nox_linkenv.projects.build_cache import digest_of
from nox_linkenv.projects.fingerprint import Tree, UnknownTreeError, fingerprint
from nox_linkenv.projects.looking import within
from nox_linkenv.projects.requirements import LocalProject, Requested, UnmodelledError, find_projects
from nox_linkenv.resolve.key import Key, Unkeyable, request_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nox_linkenv.resolve.inputs import Interpreter
    from nox_linkenv.resolve.pip_arguments import Arguments
    from nox_linkenv.resolve.pip_config import PipConfig
    from nox_linkenv.resolve.request import Request
    from nox_linkenv.store import Store

__all__ = ["ProjectKey", "full_key", "look", "project_key"]


@dataclass(frozen=True, slots=True)
class ProjectKey:
    """What a request with local projects in it depends on.

    Args:
        base: all but the trees.
        full: all.
        requested: the request, taken apart.
        trees: of its projects, in their order.
        anywhere: a digest of all but where the projects lie; ``None`` where the request itself says that.
    """

    base: Key
    full: Key
    requested: Requested
    trees: tuple[Tree, ...]
    anywhere: str | None = None


def project_key(
    request: Request,
    arguments: Arguments,
    *,
    config: PipConfig,
    prefix: str,
    facts: Interpreter,
    installed: str,
    look: Callable[[LocalProject], Tree],
    store: Store,
) -> ProjectKey | Unkeyable | None:
    """Return the key of *request*, why it has none, or ``None`` where no local project is in it.

    Args:
        arguments: those of the request, sorted.
        config: pip's configuration.
        prefix: absolute path of the environment.
        facts: about its interpreter and its pip.
        installed: digest of what is installed in it.
        look: how to look at the tree of a project; raises what :func:`look` does.
        store: that remembers the contents of directories of archives.
    """
    try:
        requested = find_projects(arguments, environ=request.environ, directory=request.directory, config=config)
        if requested is None:
            return None
        base = request_key(
            requested.others,
            verbatim=request.arguments,
            environ=request.environ,
            directory=request.directory,
            config=config,
            prefix=prefix,
            facts=facts,
            installed=installed,
            local=requested.local,
            builds=requested.isolated,  # without isolation, nothing but the projects is built here
            store=store,
        )
        if isinstance(base, Unkeyable):
            return base
        paths = [project.path for project in requested.projects]
        without_places = base.digest
        base = replace(base, digest=digest_of([base.digest, paths]), pinned=False)
        trees = tuple(look(project) for project in requested.projects)
    except (UnmodelledError, UnknownTreeError) as error:
        return Unkeyable(f"the local project is not built here: {error}")
    anywhere = _anywhere(without_places, requested, trees, os.path.realpath(request.directory))
    return ProjectKey(base, full_key(base, trees), requested, trees, anywhere)


def _anywhere(base: str, requested: Requested, trees: Sequence[Tree], directory: str) -> str | None:
    """Return a digest of *base*, of the *trees*, and of the places of the projects in the real path *directory*."""
    projects = requested.projects
    if any(project.url or os.path.isabs(project.named) for project in projects):
        return None
    places = [within(project.path, directory) for project in projects]
    return None if None in places else digest_of(["anywhere", base, places, [tree.digest for tree in trees]])


def full_key(base: Key, trees: Sequence[Tree]) -> Key:
    """Return the key *base* with *trees* added."""
    digests = {f"the project {tree.project}": tree.digest for tree in trees}
    inputs = {name: digest[:16] for name, digest in digests.items()}
    return replace(base, digest=digest_of([base.digest, list(digests.values())]), inputs={**base.inputs, **inputs})


def look(store: Store, project: LocalProject, prefix: str, *, other: bool = False) -> Tree:
    """Look at the tree of *project* as a build for the environment at *prefix* sees it.

    Args:
        other: whether as the other kind of build sees it: a regular one where an editable one is asked for, or the
            other way round.

    Raises:
        UnknownTreeError: it cannot be told what a build of it sees.
    """
    return fingerprint(
        store,
        project.path,
        editable=project.plainly_editable != other,
        skip=[os.path.realpath(prefix)],
        passing=bool(project.sdist),
    )
