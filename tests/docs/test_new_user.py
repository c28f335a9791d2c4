"""A new user's way from the first page of the built site to a warm matrix, each command as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import PROJECT
from tests.docs.running import run_command
from tests.docs.test_examples import shopping
from tests.support.environment import clean_environment
from tests.support.interpreters import find_interpreters

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["shopping"]
pytestmark = [pytest.mark.slow, pytest.mark.network]


class _Page(HTMLParser):
    """What a reader finds on a page: the links, and the blocks of code with their languages."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.blocks: list[tuple[str, str]] = []
        self._reading = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "a" and (target := named.get("href")):
            self.links.append(target)
        elif tag == "div" and (language := re.search(r"highlight-(\w+) notranslate", named.get("class") or "")):
            self.blocks.append((language[1], ""))
        self._reading = self._reading or tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        self._reading = self._reading and tag != "pre"

    def handle_data(self, data: str) -> None:
        if self._reading and self.blocks:
            language, text = self.blocks[-1]
            self.blocks[-1] = (language, text + data)


class _Shell:
    """Commands in one directory after another, with what they export, and what each has taken."""

    def __init__(self, directory: Path, environ: dict[str, str]) -> None:
        self.directory, self.environ = directory, environ
        self.exports = ""

    def __call__(self, command: str) -> str:
        if command.startswith("export "):
            self.exports += command
        began = time.perf_counter()
        output = run_command(["bash", "-ec", self.exports + command], self.directory, self.environ)
        print(f"{time.perf_counter() - began:6.1f} s  {command.strip()}")
        return output


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("site")
    environ = clean_environment()
    build = built / "env"
    run_command([sys.executable, "-m", "venv", str(build)], built, environ)
    run_command([str(build / "bin/pip"), "install", "-q", "-U", "pip"], built, environ)
    run_command([str(build / "bin/pip"), "install", "-q", "--group", "docs"], PROJECT, environ)
    pages = str(built / "pages")
    run_command([str(build / "bin/sphinx-build"), "-q", "-W", "-c", "docs", ".", pages], PROJECT, environ)
    return built / "pages"


def test_from_the_first_page_to_a_warm_matrix(site: Path, shopping: Path, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(PROJECT)]
    run_command(build, tmp_path, clean_environment())
    environ = {**clean_environment(), "HOME": str(tmp_path / "home"), "PIP_FIND_LINKS": str(wheels)}
    for name in ("PYENV_VERSION", "XDG_CACHE_HOME"):
        environ.pop(name, None)
    (tmp_path / "home").mkdir()
    shell = _Shell(shopping, environ)

    assert "tutorial.html" in _Page(site / "docs" / "index.html").links
    install, first, run, show, look, second = _Page(site / "docs" / "tutorial.html").blocks
    assert [block[0] for block in (install, first, run, show, look, second)] == ["sh", "python", *3 * ["sh"], "python"]
    shell(install[1])
    if "pyenv" in show[1] and not subprocess.run(["pyenv", "root"], capture_output=True, check=False).returncode:
        shell(show[1])
    versions = [version for version in ("3.10", "3.11", "3.12", "3.13") if version in find_interpreters()]
    for noxfile, sessions in ((first, "packages"), (second, "tests")):
        (shopping / "noxfile.py").write_text(noxfile[1])
        shell(run[1])
        warm = shell(run[1])
        assert re.findall(rf"Session {sessions}-(\S+) was successful", warm) == versions, warm
        assert "asked pip" not in warm, warm
        assert warm.count("reused the resolution") >= len(versions), warm
        if noxfile is first and "3.12" in versions:
            links = [int(line.split()[1]) for line in shell(look[1]).splitlines() if line.startswith("-")]
            assert sum(count > 1 for count in links) > len(links) / 2, links  # an empty file is none
