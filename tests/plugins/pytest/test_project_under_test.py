"""How the project whose tests run is seen by all installs of one run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.plugins.pytest.project import ProjectUnderTest, View
from nox_linkenv.projects.fingerprint import Tree
from nox_linkenv.resolve.request import Request

if TYPE_CHECKING:
    from pathlib import Path


def test_what_an_editable_sees_is_not_what_a_wheel_is_made_of(tmp_path: Path) -> None:
    path = os.path.realpath(tmp_path)
    seen = ProjectUnderTest(path, path)
    narrow = Tree(path, path, {"a.py": "module"}, declarative=True, editable=True)
    seen.settle(narrow)
    for again in (seen, ProjectUnderTest(path, path)):  # in another process of the run
        assert again.tree(View(path, editable=True)) == narrow
        assert again.tree(View(path, editable=False)) is None


@pytest.mark.parametrize(
    ("arguments", "editable"),
    [
        (["."], False),
        (["-e", "."], True),
        (["pytest", "-e", ".[test]"], True),
        (["-e", ".", "-C", "a=b"], False),
        (["pytest"], None),
        (["./elsewhere"], None),
    ],
)
def test_how_a_request_names_it(tmp_path: Path, arguments: list[str], editable: bool | None) -> None:
    path = os.path.realpath(tmp_path)
    view = ProjectUnderTest(path, path).named_by(Request(tuple(arguments), {}, path))
    assert view == (None if editable is None else View(path, editable))
