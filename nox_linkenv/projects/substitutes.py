"""Wheels that stand in for local projects when pip is asked: it would build each of them once more for its metadata.

pip's answer is the same either way, because the metadata of a wheel are those that its backend says beforehand
(PEP 517, PEP 660).  What pip would note about the origin of a directory is put back into the answer.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from urllib.request import pathname2url

from nox_linkenv.resolve.pip_arguments import Kind
from nox_linkenv.resolve.report import Origin, parse_report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_linkenv.projects.requirements import LocalProject, Requested
    from nox_linkenv.resolve.report import Resolved

__all__ = ["direct_url_for", "read_report_for", "with_substitutes"]


def with_substitutes(requested: Requested, wheels: Mapping[LocalProject, str]) -> list[str] | None:
    """Return the arguments of *requested* with the path of a wheel for each project; ``None`` where that is no request.

    pip takes requirements in the order of their kinds, first those named as such, then editables; so does this.
    """
    if requested.others.values(Kind.EDITABLE) or requested.verbatim:
        return None
    arguments = requested.others.again(*Kind)
    for item in requested.order:
        arguments.append(item if isinstance(item, str) else _named(item, wheels[item]))
    return arguments


def _named(project: LocalProject, wheel: str) -> str:
    """Return the requirement for *wheel* that stands for *project*."""
    if project.name:
        place = f"{project.name}{project.extras} @ {urljoin('file://', pathname2url(wheel))}"
    else:
        place = f"{wheel}{project.extras}"
    return f"{place} ; {project.marker}" if project.marker else place


def read_report_for(text: str, wheels: Mapping[LocalProject, str], directory: str) -> list[Resolved]:
    """Return what pip's report *text* says, with the projects in the place of their wheels.

    Args:
        directory: absolute path of the directory that pip ran in.

    Raises:
        ResolutionError: the report cannot be read.
    """
    projects = {wheel: project for project, wheel in wheels.items()}
    return [_as_project(item, projects, directory) for item in parse_report(text)]


def _as_project(item: Resolved, projects: Mapping[str, LocalProject], directory: str) -> Resolved:
    project = projects.get(item.path or "")
    if project is None:
        return item
    origin = Origin.EDITABLE if project.editable else Origin.DIRECTORY
    return replace(
        item, url=_url(project, directory), origin=origin, sha256=None, direct_url=direct_url_for(project, directory)
    )


def direct_url_for(project: LocalProject, directory: str) -> str:
    """Return the ``direct_url.json`` that pip, run in *directory*, writes for *project*."""
    dir_info = {"editable": True} if project.editable else {}
    return json.dumps({"dir_info": dir_info, "url": _url(project, directory)}, sort_keys=True)


def _url(project: LocalProject, directory: str) -> str:
    # As pip makes it: of the path as it was named, without "..", with links in it as they are.
    path = os.path.normpath(os.path.join(os.path.realpath(directory), project.named))
    # Since Python 3.14 the empty authority is in what pathname2url returns, before that it is not.
    return project.url or urljoin("file://", pathname2url(path))
