"""What users do with tox gives what it gives with tox's own runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugins.tox.cases import CASES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugins.tox.tool import Project
    from tests.support.shared import Host

#: Where tox and this package meet; the rest is tox's own in every version.
OLDEST = (
    *("deps_added_and_removed", "recreated_fresh", "result_json", "package_wheel", "package_editable"),
    *("use_frozen_constraints", "unknown_requirement", "install_command"),
)


def _check(project: Project, name: str) -> None:
    case = CASES[name]
    told = project.same_on_both(*case.runs)
    assert tuple(outcome.code for outcome in told) == case.codes, told[-1].output
    assert case.says in told[-1].output


@pytest.mark.parametrize("name", CASES)
def test_newest(project: Project, name: str) -> None:
    _check(project, name)


@pytest.mark.network  # the oldest tox is installed from the index
@pytest.mark.parametrize("name", OLDEST)
def test_oldest(make: Callable[[Host], Project], oldest: Host, name: str) -> None:
    _check(make(oldest), name)
