"""Passwords of an index, wherever pip has them from: they stand in no file of the store or of an environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.cli.tool import linkenv
from tests.provision.tool import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.provision.tool import Site
    from tests.support.index import Index

_PASSWORD: Final = "open-sesame"
#: Answers as the program of that name does, which pip runs; a newer pip asks for JSON.
_KEYRING: Final = f"""#!/bin/sh
printf '%s\\n' "$*" >> "$HOME/asked"
case "$*" in
*json*) echo '{{"username": "ali", "password": "{_PASSWORD}"}}' ;;
*) echo {_PASSWORD} ;;
esac
"""


def _in_url(site: Site, index: Index) -> list[str]:
    site.environ["PIP_INDEX_URL"] = _with_user(index, f"ali:{_PASSWORD}")
    return []


def _in_arguments(site: Site, index: Index) -> list[str]:
    del site.environ["PIP_INDEX_URL"]
    return ["--index-url", _with_user(index, f"ali:{_PASSWORD}")]


def _in_requirements(site: Site, index: Index) -> list[str]:
    path = site.project / "requirements.txt"
    path.write_text(f"--index-url {_with_user(index, 'ali:${PASSWORD}')}\n")
    site.environ["PASSWORD"] = _PASSWORD
    return ["-r", "requirements.txt"]


def _in_netrc(site: Site, index: Index) -> list[str]:
    del index
    path = site.root / "home" / ".netrc"
    path.write_text(f"machine 127.0.0.1\nlogin ali\npassword {_PASSWORD}\n")
    path.chmod(0o600)
    return []


def _in_keyring(site: Site, index: Index) -> list[str]:
    programs = site.root / "home" / "bin"
    programs.mkdir()
    (programs / "keyring").write_text(_KEYRING)
    (programs / "keyring").chmod(0o755)
    site.environ["PATH"] = f"{programs}{os.pathsep}{site.environ['PATH']}"
    site.environ |= {"PIP_INDEX_URL": _with_user(index, "ali"), "PIP_KEYRING_PROVIDER": "subprocess"}
    return []


def _with_user(index: Index, user: str) -> str:
    return index.simple.replace("://", f"://{user}@")


def _files(site: Site) -> Iterator[Path]:
    """Yield the files of the store, and those of the project's environments: notes, receipts, logs, the journal."""
    for top in (site.store, site.project / ".nox"):
        for directory, _, names in os.walk(top):
            yield from (Path(directory, name) for name in names)


@pytest.mark.parametrize("way", [_in_url, _in_arguments, _in_requirements, _in_netrc, _in_keyring])
def test_no_password_is_written(way: Callable[[Site, Index], list[str]], here: Site) -> None:
    with served(here) as index:
        index.users = frozenset({f"ali:{_PASSWORD}"})
        index.publish("three", "1.0")
        arguments = [*way(here, index), "three"]
        for name in ("first", "second"):
            here.place(name).session(arguments)
        linkenv(here, "create", str(here.project / ".nox" / "shell"), "--python", str(here.interpreter))
    names = [path.name for path in _files(here)]
    assert {"receipt.json", "linkenv-store.json"} <= set(names)
    assert list((here.base / "resolutions").rglob("*.json"))
    found = [path for path in _files(here) if path.is_file() and _PASSWORD.encode() in path.read_bytes()]
    assert found == []
    if way is _in_keyring:
        assert "ali" in (here.root / "home" / "asked").read_text(), "pip has asked for it"
