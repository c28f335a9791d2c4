"""The oldest pytest that is supported, with this project as a wheel, in an environment of its own."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from tests.support.shared import ROOT, make_host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.plugins.pytest.tool import Suite

pytestmark = [pytest.mark.slow, pytest.mark.network]


@pytest.fixture(scope="module")
def oldest(shared_dir: Path) -> str:
    return str(make_host(shared_dir, "oldest-pytest", "pytest==7.4.*", "pytest-xdist<3.6", str(ROOT)).python)


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_oldest_pytest(
    oldest: str, make_suite: Callable[[], Suite], monkeypatch: pytest.MonkeyPatch, workers: list[str]
) -> None:
    suite = dataclasses.replace(make_suite(), python=oldest)
    builds = suite.add_project(monkeypatch)
    suite.write("""
        import pytest
        from nox_linkenv.plugins.pytest import CommandFailedError, LinkedVenv

        @pytest.mark.parametrize("number", range(4))
        def test_project(linked_venv: LinkedVenv, number):
            assert pytest.__version__.startswith("7.4.")
            linked_venv.install(".")
            assert linked_venv.run("shopping").stdout == "shopping\\n"

        @pytest.mark.linked_venv(["basket<2"])
        def test_marker(linked_venv, linked_venv_factory, linked_python):
            assert str(linked_venv.get_version("basket")) == "1.0"
            clone = linked_venv.clone()
            clone.install("basket", upgrade=True)
            assert clone.freeze() == ["basket==2.0"]
            assert linked_venv_factory().freeze() == []
            with pytest.raises(CommandFailedError):
                linked_venv.run("python", "-c", "raise SystemExit(1)")

        def test_failing(linked_venv):
            linked_venv.run("python", "-c", "raise SystemExit(1)")
    """)
    result = suite.run_apart("--linkenv-report", "--linkenv-keep", *workers)
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["linkenv: *", "*kept environments*", "*linked environments*"])
    assert builds() == 1
    assert any("test_failing" in path.name for path in suite.environments())
