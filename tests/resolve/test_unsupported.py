"""Settings of pip are told by their names: what looks like one in a path or a URL is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nox_linkenv.projects.requirements import UnmodelledError, find_projects
from nox_linkenv.resolve.pip_arguments import Arguments, parse
from nox_linkenv.resolve.pip_config import PipConfig
from nox_linkenv.resolve.report import parse_report
from nox_linkenv.resolve.unsupported import configures_builds

if TYPE_CHECKING:
    from pathlib import Path

_HARMLESS = """\
[global]
no-cache-dir = true
cert = /etc/ssl/ca-certificates.crt
index-url = https://example.org/pypi-cache/verbose/constraint/no-binary/config-settings/simple
"""


def _arguments(*given: str) -> Arguments:
    found = parse(given)
    assert found is not None
    return found


def test_text_that_looks_like_a_setting_is_none(tmp_path: Path) -> None:
    config = PipConfig((("pip.conf", _HARMLESS),))
    environ = {"PIP_CERT": "/x-C/config-settings", "-C": "a=1", "CONFIG_SETTINGS": "a=1"}
    assert not configures_builds(_arguments("demo"), environ, config)
    (tmp_path / "project").mkdir()
    found = find_projects(_arguments("./project"), environ=environ, directory=str(tmp_path), config=config)
    assert found is not None


@pytest.mark.parametrize("text", ["[global]\nconfig-settings = a=1\n", "[install]\nconfig_setting = a=1\n"])
def test_a_setting_in_a_file(text: str) -> None:
    assert configures_builds(_arguments("demo"), {}, PipConfig((("pip.conf", text),)))


@pytest.mark.parametrize("option", ["-Ca=1", "--config-settings=a=1", "--config-setting=a=1"])
def test_an_option_and_a_variable(option: str) -> None:
    assert configures_builds(_arguments("demo", option), {}, PipConfig())
    assert configures_builds(_arguments("demo"), {"PIP_CONFIG_SETTINGS": "a=1"}, PipConfig())


@pytest.mark.parametrize("text", ["[global]\nbuild-constraint = c.txt\n", "[install]\nno-build-isolation = yes\n"])
def test_a_setting_that_decides_how_a_project_is_built(text: str, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    config = PipConfig((("pip.conf", text),))
    with pytest.raises(UnmodelledError, match=r"pip\.conf sets"):
        find_projects(_arguments("./project"), environ={}, directory=str(tmp_path), config=config)


@pytest.mark.parametrize("text", ["[install]\nconstraint = c.txt\n", "[global]\nconstraints = c.txt\n"])
def test_a_constraint_does_not(text: str, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    config = PipConfig((("pip.conf", text),))
    assert find_projects(_arguments("./project"), environ={}, directory=str(tmp_path), config=config) is not None


def test_a_blank_in_the_url_of_a_commit_is_quoted() -> None:
    info = {"url": "file:///a b/r", "vcs_info": {"vcs": "git", "commit_id": "0" * 40}}
    item = {"download_info": info, "metadata": {"name": "x", "version": "1"}, "requested": True, "is_direct": True}
    import json

    (found,) = parse_report(json.dumps({"version": "1", "install": [item]}))
    assert found.requirement() == f"x @ git+file:///a%20b/r@{'0' * 40}"
