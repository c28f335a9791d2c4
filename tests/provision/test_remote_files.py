"""Requirement and constraint files that pip has of a server: they count as the pages of indexes do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.resolve.observer import is_plain
from tests.provision.tool import PipError, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.provision.tool import Site
    from tests.support.index import Index

_DAY = 86_400


@pytest.fixture
def index(here: Site) -> Iterator[Index]:
    """Lib 1.0, 2.0 and 3.0."""
    with served(here) as index:
        for version in ("1.0", "2.0", "3.0"):
            index.publish("lib", version)
        yield index


def _serve(index: Index, text: str, name: str = "upper.txt") -> str:
    """Serve *text* as a file; return its URL."""
    path: Path = index.directory / name
    path.write_text(text)
    index.add("texts", path)
    return f"{index.url}/files/{name}"


_LIB = "import lib; print(lib.VERSION)"


@pytest.mark.parametrize("form", ["argument", "requirements", "nested"])
def test_a_file_by_url_is_asked_for_once(here: Site, index: Index, form: str) -> None:
    url = _serve(index, "# all of them\nlib<3  # for now\n")
    (here.project / "local.txt").write_text(f"-c {url}\nlib\n")
    arguments = {"argument": ["-c", url, "lib"], "requirements": ["-r", url], "nested": ["-r", "local.txt"]}[form]
    place, began = here.place(), time.time()
    assert place.session(arguments, now=began).calls == ["ask"]
    assert place.run(_LIB) == "2.0"
    index.requests.clear()
    assert place.session(arguments, now=began + 9).messages == ["reused the resolution of 9 s ago"]
    assert index.requests == []
    again = place.session(arguments, now=began + _DAY)
    assert (again.calls, again.messages) == ([], ["renewed the resolution of 24 h ago"])
    assert ("GET", "/files/upper.txt") in index.requests
    _serve(index, "lib<2\n")
    changed = place.session(arguments, now=began + 2 * _DAY)
    assert changed.messages == [f"asked pip: the resolution is too old, and {url} has changed"]
    assert place.run(_LIB) == "1.0"


def test_a_server_that_is_down_is_for_pip_to_tell(here: Site, index: Index) -> None:
    url = _serve(index, "lib<3\n")
    place, began = here.place(), time.time()
    place.session(["-c", url, "lib"], now=began)
    index.statuses = {"/files/upper.txt": 503}
    with pytest.raises(PipError, match="503"):
        place.session(["-c", url, "lib"], now=began + _DAY)
    index.statuses = {}
    assert place.session(["-c", url, "lib"], now=began + _DAY).calls == []


@pytest.mark.parametrize(
    "line", ["--find-links {wheels}", "lib @ file://{wheels}/lib-2.0-py3-none-any.whl", "lib==${{V}}"]
)
def test_a_file_that_names_more_than_versions_is_asked_for_each_time(here: Site, index: Index, line: str) -> None:
    here.environ["V"] = "2.0"
    url = _serve(index, line.format(wheels=here.wheels) + "\n")
    place = here.place()
    place.session(["-c", url, "lib"])
    again = place.session(["-c", url, "lib"])
    assert again.calls[0] == "ask"
    assert again.messages == [f"asked pip: the last answer was not kept, as {url} says more than versions"]


def test_the_order_of_files_and_who_asks_count(here: Site, index: Index) -> None:
    index.users = frozenset({"me:secret"})
    index.missing = 404
    one, two = _serve(index, "lib<3\n", "one.txt"), _serve(index, "lib<4\n", "two.txt")
    mine = [url.replace("://", "://me:secret@") for url in (one, two)]
    here.environ["PIP_INDEX_URL"] = index.simple.replace("://", "://me:secret@")
    place, began = here.place(), time.time()
    words = ["-c", mine[0], "-c", mine[1], "lib"]
    assert place.session(words, now=began).calls == ["ask"]
    assert place.session(words, now=began + _DAY).messages == ["renewed the resolution of 24 h ago"]
    assert place.session(["-c", mine[1], "-c", mine[0], "lib"], now=began).calls == ["ask"]
    assert not [path for path in here.base.rglob("*.json") if b"secret" in path.read_bytes()]


@pytest.mark.parametrize(
    "text",
    [
        "six<2\r\n\r\n# of\nsix===1.17\n",
        "a[b,c]==2 ; python_version >= '3.8'  # why\n",
        "a==1 \\\n    --hash=sha256:ab \\\n    --hash=sha256:cd\n    # via x\n",
        "",
    ],
)
def test_what_is_plain(text: str) -> None:
    assert is_plain(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "-e .", "./a", "a @ file:///a", "a.whl", "a.tar.gz ; b", "${X}", "a -C a=b", "a==1 --pre", "-c a.txt",
        "a.\\\nwhl",
        "# a\x0c-e .", "# \u2028-e .", "--index-url http://a", "a b", "a\t-C a=b", "git+https://a",
    ],
)  # fmt: skip
def test_what_is_not(text: str) -> None:
    assert not is_plain(text.encode())
