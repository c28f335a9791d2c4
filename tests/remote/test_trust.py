"""Who may say whom to trust: the user, and no file of a project."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.config import PERSONAL, RemoteMode, Settings, load_settings, user_directory
from nox_linkenv.errors import SettingsError
from nox_linkenv.plugins.tox import settings as of_tox
from tests.remote.tool import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.provision.tool import Site

_VALUES = {"remote": "s3://elsewhere", "remote-mode": "write", "remote-keys": PUBLIC, "remote-key-file": "key"}


@pytest.mark.parametrize("name", _VALUES)
def test_a_project_cannot_say_whom_to_trust(name: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.linkenv]\n{name} = "{_VALUES[name]}"\n')
    with pytest.raises(SettingsError, match=f"A project cannot set {name}") as refused:
        load_settings({}, directory=str(tmp_path))
    assert f"LINKENV_{name.replace('-', '_').upper()}" in refused.value.remedy
    with pytest.raises(SettingsError, match="A project cannot set"):
        load_settings({}, explicit={name.replace("-", "_"): _VALUES[name]})


def test_tox_has_no_keys_for_it() -> None:
    assert {name.replace("-", "_") for name in _VALUES} == PERSONAL
    assert not PERSONAL & set(of_tox._NAMES)


def test_the_user_says_it_in_their_own_file_or_by_variables(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    mine = tmp_path / "nox-linkenv" / "config.toml"
    assert str(mine.parent) == user_directory(environ)
    mine.parent.mkdir()
    mine.write_text(f'remote = "s3://ours/linkenv"\nremote-keys = ["{PUBLIC.upper()}"]\n')
    found = load_settings(environ)
    assert (found.remote, found.remote_keys, found.remote_mode) == ("s3://ours/linkenv", (PUBLIC,), RemoteMode.READ)
    other = "ab" * 32
    found = load_settings({**environ, "LINKENV_REMOTE_KEYS": f"{PUBLIC}, {other}", "LINKENV_REMOTE_MODE": "write"})
    assert found.remote_keys == (PUBLIC, other)
    assert found.writes_remote


@pytest.mark.parametrize("value", ["abc", "zz" * 32, PUBLIC + "00"])
def test_what_is_no_key_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="64 hexadecimal digits"):
        load_settings({"LINKENV_REMOTE_KEYS": value})


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"LINKENV_REMOTE": "ftp://host/store"})
    assert "s3://" in refused.value.remedy


def test_the_private_key_is_no_setting() -> None:
    assert not any("11" in str(value) for value in load_settings({"LINKENV_REMOTE_KEY": "11" * 32}).remote_keys)
    assert not hasattr(Settings(), "remote_key")


@pytest.mark.parametrize("module", ["obstore", "cryptography.exceptions"])
def test_without_the_extra_there_is_one_line(
    module: str, filled: Site, reader: Callable[[str], Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = reader("other")
    del there.environ["LINKENV_REMOTE_KEY"]
    monkeypatch.setitem(sys.modules, module, None)  # as the interpreter itself says that there is none
    (line,) = there.place("new").session(["one"]).warnings
    assert "Install nox-linkenv[remote]" in line
