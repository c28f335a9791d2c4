"""Renewing an answer of pip's from the pages that it read: it stands only where pip would answer the same again."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.resolve.cache import Reading
from nox_linkenv.resolve.pip_config import PipConfig
from nox_linkenv.resolve.record import means_digest, note_reading
from tests.renewal.asking import DAY as _DAY
from tests.renewal.asking import Asking, make_asking, python_with_pip
from tests.support.index import Index, serving, serving_proxy
from tests.support.suites import usually
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def asking(tmp_path: Path, shared_dir: Path) -> Asking:
    return make_asking(tmp_path, python_with_pip(shared_dir))


def _fill(index: Index) -> None:
    """Publish app 1.0, which wants ``lib<3``, and lib 1.0 and 2.0."""
    index.publish("app", "1.0", "lib<3")
    for version in ("1.0", "2.0"):
        index.publish("lib", version)


@pytest.fixture
def index(tmp_path: Path, asking: Asking) -> Iterator[Index]:
    """The index that is asked, with app and lib."""
    (tmp_path / "made").mkdir()
    with serving(tmp_path / "made") as index:
        asking.environ["PIP_INDEX_URL"] = index.simple
        asking.indexes.append(index.simple)
        _fill(index)
        yield index


def test_unchanged_pages_let_the_answer_stand(asking: Asking, index: Index) -> None:
    answer, reading = asking.pip("app")
    assert answer == {"app": "1.0", "lib": "2.0"}
    assert reading.obstacle is None
    asked = index.pages
    index.requests.clear()
    now = time.time() + _DAY
    assert asking.renew(reading, now=now) == now
    assert sorted(index.pages) == sorted(asked) == ["app", "lib"]


def _release(index: Index) -> None:
    index.publish("lib", "2.5")


def _irrelevant(index: Index) -> None:
    index.publish("lib", "4.0")


def _yank(index: Index) -> None:
    index.yank("lib", "lib-2.0-py3-none-any.whl")


def _delete(index: Index) -> None:
    index.delete("lib", "lib-1.0-py3-none-any.whl")


def _replace(index: Index) -> None:
    index.add("lib", make_wheel(index.directory, "lib", "2.0", {"lib.py": b"changed\n"}))


def _remove(index: Index) -> None:
    del index.projects["lib"]


def _redirect(index: Index) -> None:
    index.redirect = not index.redirect


_CHANGES = [_release, _irrelevant, _yank, _delete, _replace, _remove, _redirect]
_WAYS = ["json", "html", "etag", "html and etag", "dated", "compressed", "redirected", "metadata", "html and metadata"]


def _behave(index: Index, way: str) -> None:
    index.json = "html" not in way
    index.etag = "etag" in way
    index.dated = way == "dated"
    index.compress = way == "compressed"
    index.redirect = way == "redirected"
    index.metadata = "metadata" in way


@pytest.mark.parametrize(
    "way", usually(_WAYS, "json", "html and etag", "dated", "compressed", "redirected", "metadata")
)
def test_any_change_of_a_page_is_seen(asking: Asking, index: Index, way: str) -> None:
    _behave(index, way)
    _, reading = asking.pip("app")
    assert reading.obstacle is None
    assert asking.renewed(reading, after=_DAY)
    assert asking.renewed(reading, after=2 * _DAY)
    store = asking.root / "store"
    kept = {path: path.read_text() for path in store.rglob("pages/*/*.json")}
    for change in _CHANGES:
        projects = copy.deepcopy(index.projects)
        change(index)
        assert not asking.renewed(reading, after=3 * _DAY), change
        index.projects = projects
        _behave(index, way)
        for again in (True, False):
            for path, text in kept.items():  # what has been seen to change is not looked at again
                path.write_text(text)
            assert not again or asking.renewed(reading, after=3 * _DAY), f"after {change} was taken back"


def test_with_etags_no_page_is_sent_again(asking: Asking, index: Index) -> None:
    index.etag = True
    _, reading = asking.pip("app")
    assert index.sent > 0
    index.sent = 0
    assert asking.renewed(reading)
    assert index.sent == 0


def test_a_page_that_has_been_seen_to_change_is_not_asked_for(asking: Asking, index: Index) -> None:
    _, reading = asking.pip("app")
    index.publish("lib", "2.5")
    assert not asking.renewed(reading)
    index.requests.clear()
    assert not asking.renewed(reading)
    assert "/simple/lib/" not in [path for _, path in index.requests]  # what was asked beside it may still come in


def test_pages_are_had_once_for_all_answers_of_a_run(asking: Asking, index: Index) -> None:
    _, app = asking.pip("app")
    _, lib = asking.pip("lib")
    index.requests.clear()
    now = time.time() + _DAY
    assert asking.renew(app, now=now) == now
    assert sorted(index.pages) == ["app", "lib"]
    # The second answer is as old as what is known of its page, not younger.
    assert asking.renew(lib, now=now + 300) == now
    assert sorted(index.pages) == ["app", "lib"]
    assert asking.renew(lib, now=now + 600) == now + 600
    assert sorted(index.pages) == ["app", "lib", "lib"]


def test_what_pip_read_for_one_answer_renews_another(asking: Asking, index: Index) -> None:
    _, reading = asking.pip("lib")
    asking.pip("app")
    index.requests.clear()
    assert asking.renewed(reading, after=300.0)
    assert index.requests == []


def test_a_change_between_pips_reading_and_the_end_of_it_is_seen(asking: Asking, index: Index) -> None:
    """Pip reads app's page, then lib's; lib's page changes as soon as it is on its way to pip."""

    def publish(name: str) -> None:
        if name == "lib":
            index.on_page = lambda name: None
            index.publish("lib", "2.5")

    index.on_page = publish
    answer, reading = asking.pip("app")
    assert answer["lib"] == "2.0"
    assert not asking.renewed(reading)
    assert asking.pip("app")[0]["lib"] == "2.5"


def test_pages_that_pip_read_and_found_nothing_on_count_too(asking: Asking, index: Index) -> None:
    """App 2.0 is tried and discarded, because what it wants is not there."""
    index.publish("app", "2.0", "lib<3", "other>2")
    index.publish("other", "1.0")
    answer, reading = asking.pip("app")
    assert answer == {"app": "1.0", "lib": "2.0"}
    assert asking.renewed(reading)
    index.publish("other", "3.0")
    assert not asking.renewed(reading, after=2 * _DAY)


@pytest.mark.parametrize("status", [404, 410])
def test_a_second_index_that_does_not_have_a_project(asking: Asking, index: Index, tmp_path: Path, status: int) -> None:
    (tmp_path / "second").mkdir()
    with serving(tmp_path / "second") as second:
        second.missing = status
        asking.environ["PIP_EXTRA_INDEX_URL"] = second.simple
        second.publish("lib", "2.1")
        answer, reading = asking.pip("app")
        assert answer["lib"] == "2.1"
        assert asking.renewed(reading)
        second.publish("app", "1.1")
        assert not asking.renewed(reading, after=2 * _DAY)


@pytest.mark.parametrize("status", [403, 500])
def test_other_statuses_stand_against_it(asking: Asking, index: Index, status: int) -> None:
    (index.directory / "second").mkdir()
    with serving(index.directory / "second") as second:
        asking.environ["PIP_EXTRA_INDEX_URL"] = second.simple
        second.statuses = {"/simple/app/": status, "/simple/lib/": 404}
        _, reading = asking.pip("app")
    assert reading.obstacle is not None
    assert str(status) in reading.obstacle or "could not be read" in reading.obstacle
    assert not asking.renewed(reading)


def test_a_status_that_comes_later(asking: Asking, index: Index) -> None:
    _, reading = asking.pip("app")
    index.statuses["/simple/lib/"] = 503
    assert not asking.renewed(reading)
    index.statuses.clear()
    assert asking.renewed(reading, after=2 * _DAY), "what was no answer has not been taken for one"


@pytest.mark.parametrize("as_json", [True, False])
def test_files_without_hashes_stand_against_it(asking: Asking, index: Index, as_json: bool) -> None:
    index.json, index.hashes = as_json, False
    _, reading = asking.pip("app")
    assert "does not give the hash" in (reading.obstacle or "")
    assert not asking.renewed(reading)


def test_a_direct_reference_stands_against_it(asking: Asking, index: Index) -> None:
    _, reading = asking.pip(f"{index.url}/files/lib-1.0-py3-none-any.whl")
    assert "is no wheel on a page" in (reading.obstacle or "")
    index.publish("needy", "1.0", f"lib @ {index.url}/files/lib-1.0-py3-none-any.whl")
    _, reading = asking.pip("needy")
    assert reading.obstacle is not None


_SETUP = "from setuptools import setup\nsetup(name='src', version='1.0', py_modules=[])\n"


@pytest.mark.parametrize("where", ["index", "disk"])
def test_a_built_sdist_stands_against_it(asking: Asking, index: Index, tmp_path: Path, where: str) -> None:
    import io
    import tarfile

    sdist = tmp_path / "src-1.0.tar.gz"
    backend = (
        "import os\n"
        "def prepare_metadata_for_build_wheel(directory, config_settings=None):\n"
        "    os.mkdir(directory + '/src-1.0.dist-info')\n"
        "    open(directory + '/src-1.0.dist-info/METADATA', 'w').write("
        "'Metadata-Version: 2.1\\nName: src\\nVersion: 1.0\\n')\n"
        "    return 'src-1.0.dist-info'\n"
        "def build_wheel(directory, config_settings=None, metadata_directory=None): raise SystemExit(1)\n"
    )
    files = {
        "PKG-INFO": "Metadata-Version: 2.1\nName: src\nVersion: 1.0\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "back"\nbackend-path = ["."]\n',
        "back.py": backend,
    }
    with tarfile.open(sdist, "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"src-1.0/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    if where == "index":
        index.add("src", sdist)
        answer, reading = asking.pip("app", "src")
    else:
        answer, reading = asking.pip("app", str(sdist))
    assert answer["src"] == "1.0"
    assert reading.obstacle is not None
    assert not asking.renewed(reading)


@pytest.mark.parametrize("value", ["P3D", "2031-01-01", "2031-01-01T00:00:00"])
def test_a_moment_that_depends_on_when_or_where_pip_runs_stands_against_it(
    asking: Asking, index: Index, value: str
) -> None:
    asking.environ["PIP_UPLOADED_PRIOR_TO"] = value
    answer, reading = asking.pip("lib")
    assert answer == {"lib": "2.0"}
    assert reading.obstacle == "what pip takes depends on the time"


def test_a_moment_with_its_time_zone_does_not(asking: Asking, index: Index) -> None:
    asking.environ["PIP_UPLOADED_PRIOR_TO"] = "2031-01-01T00:00:00+00:00"
    answer, reading = asking.pip("lib")
    assert answer == {"lib": "2.0"}
    assert asking.renewed(reading)
    index.publish("lib", "2.1")
    assert not asking.renewed(reading, after=2 * _DAY)


def test_a_record_without_its_end_is_of_no_use(asking: Asking, index: Index) -> None:
    asking.pip("app")
    record = asking.root / "record"
    whole = record.read_text().splitlines()
    record.write_text("\n".join(whole[:-1]))
    assert note_reading(asking.store, str(record), {}, PipConfig(), ()).obstacle == "what pip read is not known"
    record.unlink()
    assert note_reading(asking.store, str(record), {}, PipConfig(), ()).obstacle == "what pip read is not known"


def test_a_lost_page_lets_no_answer_stand(asking: Asking, index: Index) -> None:
    _, reading = asking.pip("app")
    for path in (asking.root / "store").rglob("pages/*/*.json"):
        path.write_text("[]")
    assert not asking.renewed(reading)


# How the index is reached


@pytest.mark.parametrize("where", ["url", "netrc", "NETRC"])
def test_an_index_that_wants_a_password(asking: Asking, index: Index, where: str) -> None:
    index.users = frozenset({"me:se%cret"})
    netrc = "machine 127.0.0.1\nlogin me\npassword se%cret\n"
    with_user = index.simple.replace("://", "://me:se%25cret@")
    if where == "url":
        asking.environ["PIP_INDEX_URL"] = with_user
        asking.indexes[:] = [with_user]
    elif where == "netrc":
        (asking.root / "home" / ".netrc").write_text(netrc)
    else:
        (asking.root / "elsewhere").write_text(netrc)
        asking.environ["NETRC"] = str(asking.root / "elsewhere")
    answer, reading = asking.pip("app")
    assert answer["lib"] == "2.0"
    assert reading.obstacle is None
    assert asking.renewed(reading)
    assert "cret" not in asking.kept()
    assert "cret" not in (asking.root / "record").read_text()
    index.publish("lib", "2.1")
    assert not asking.renewed(reading, after=2 * _DAY)
    index.delete("lib", "lib-2.1-py3-none-any.whl")
    _, reading = asking.pip("app")
    index.users = frozenset({"me:changed"})
    assert not asking.renewed(reading, after=2 * _DAY)


def test_another_home_is_no_other_way_to_an_index(asking: Asking, index: Index) -> None:
    """The next job of continuous integration may have another one, with the answers of an archive."""
    _, reading = asking.pip("app")
    (asking.root / "another").mkdir()
    asking.environ["HOME"] = str(asking.root / "another")
    assert asking.renewed(reading)
    (asking.root / "another" / ".netrc").write_text("machine 127.0.0.1\nlogin me\npassword secret\n")
    assert not asking.renewed(reading)


def test_a_password_that_is_not_known_any_more(asking: Asking, index: Index) -> None:
    index.users = frozenset({"me:secret"})
    asking.environ["PIP_INDEX_URL"] = index.simple.replace("://", "://me:secret@")
    _, reading = asking.pip("app")
    index.requests.clear()
    assert not asking.renewed(reading)
    assert index.requests == []


@pytest.mark.parametrize(
    ("variable", "user"),
    usually(
        [(variable, user) for variable in ("http_proxy", "ALL_PROXY", "PIP_PROXY") for user in ("", "me:secret")],
        ("http_proxy", "me:secret"),
        ("ALL_PROXY", ""),
        ("PIP_PROXY", "me:secret"),
    ),
)
def test_a_proxy(asking: Asking, index: Index, variable: str, user: str) -> None:
    with serving_proxy(user) as proxy:
        asking.environ[variable] = proxy.url.replace("://", f"://{user}@") if user else proxy.url
        asking.environ["no_proxy"] = ""
        _, reading = asking.pip("app")
        assert reading.obstacle is None
        assert proxy.targets
        proxy.targets.clear()
        assert asking.renewed(reading)
        assert sorted(proxy.targets) == [f"{index.simple}app/", f"{index.simple}lib/"]
        assert "secret" not in asking.kept()
        del asking.environ[variable]
        proxy.targets.clear()
        assert not asking.renewed(reading, after=2 * _DAY), "by another way there may be another page"
        assert proxy.targets == []


def test_a_host_without_its_proxy(asking: Asking, index: Index) -> None:
    with serving_proxy() as proxy:
        asking.environ |= {"http_proxy": proxy.url, "no_proxy": "127.0.0.1"}
        _, reading = asking.pip("app")
        assert asking.renewed(reading)
        assert proxy.targets == []


@pytest.fixture
def certificates(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate authority's file, and one with a certificate and its key for 127.0.0.1."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    return tmp_path / "authority.pem", tmp_path / "server.pem"


_TRUST = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "--cert", "--trusted-host")


@pytest.mark.parametrize(
    ("way", "proxied"),
    usually(
        [(way, proxied) for way in _TRUST for proxied in (False, True)],
        *((way, way == "REQUESTS_CA_BUNDLE") for way in _TRUST),
        ("--trusted-host", True),
    ),
)
def test_certificates(asking: Asking, certificates: tuple[Path, Path], way: str, proxied: bool) -> None:
    authority, certificate = certificates
    (asking.root / "made").mkdir()
    with serving(asking.root / "made", certificate=certificate) as index, serving_proxy() as proxy:
        _fill(index)
        asking.environ["PIP_INDEX_URL"] = index.simple
        if proxied:
            asking.environ |= {"https_proxy": proxy.url, "no_proxy": ""}
        options: list[str] = []
        if way == "--trusted-host":
            options = [way, "127.0.0.1"]
        elif way == "--cert":
            options = [way, str(authority)]
        else:
            asking.environ[way] = str(authority)
        answer, reading = asking.pip("app", *options)
        assert answer["lib"] == "2.0"
        assert reading.obstacle is None
        proxy.targets.clear()
        assert asking.renewed(reading)
        assert bool(proxy.targets) == proxied
        index.publish("lib", "2.1")
        assert not asking.renewed(reading, after=2 * _DAY)


def test_a_server_whose_certificate_is_not_trusted_is_not_believed(
    asking: Asking, certificates: tuple[Path, Path]
) -> None:
    authority, certificate = certificates
    (asking.root / "made").mkdir()
    with serving(asking.root / "made", certificate=certificate) as index:
        _fill(index)
        asking.environ |= {"PIP_INDEX_URL": index.simple, "PIP_CERT": str(authority)}
        _, reading = asking.pip("app")
        authority.write_text("")
        assert not asking.renewed(reading)


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        (("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR"), ("PIP_CERT", "CURL_CA_BUNDLE"), True),
        (("REQUESTS_CA_BUNDLE",), ("CURL_CA_BUNDLE", "SSL_CERT_FILE"), True),
        (("SSL_CERT_FILE",), ("SSL_CERT_FILE", "SSL_CERT_DIR"), False),
        (("SSL_CERT_FILE",), ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), False),
        (("PIP_CERT", "CURL_CA_BUNDLE"), ("CURL_CA_BUNDLE",), False),
    ],
)
def test_variables_of_certificates_count_where_they_have_an_effect(
    before: tuple[str, ...], now: tuple[str, ...], same: bool
) -> None:
    first, second = (dict.fromkeys(names, "/some/authority.pem") for names in (before, now))
    assert (means_digest({"HOME": "/none", **first}) == means_digest({"HOME": "/none", **second})) == same
    others = {**second, next(iter(second)): "/another/authority.pem"}
    assert means_digest({"HOME": "/none", **second}) != means_digest({"HOME": "/none", **others})


# Lists of links, and indexes on the disk


def test_a_page_of_links(asking: Asking, index: Index) -> None:
    index.json = False
    asking.environ["PIP_NO_INDEX"] = "1"
    asking.environ["PIP_FIND_LINKS"] = f"{index.simple}lib/"
    answer, reading = asking.pip("lib")
    assert answer == {"lib": "2.0"}
    assert asking.renewed(reading)
    index.publish("lib", "3.0")
    assert not asking.renewed(reading, after=2 * _DAY)


def test_an_index_on_the_disk(asking: Asking, index: Index) -> None:
    index.json = False
    page = asking.root / "local" / "lib" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_bytes(index.page("lib", as_json=False).replace(b"../../files", str(index.directory).encode()))
    asking.environ["PIP_INDEX_URL"] = (asking.root / "local").as_uri()
    answer, reading = asking.pip("lib")
    assert answer == {"lib": "2.0"}
    assert reading.obstacle is None
    assert asking.renewed(reading)
    index.publish("lib", "3.0")
    page.write_bytes(index.page("lib", as_json=False).replace(b"../../files", str(index.directory).encode()))
    assert not asking.renewed(reading, after=2 * _DAY)


def test_where_nothing_is_read_the_answer_stands(asking: Asking, index: Index) -> None:
    answer, reading = asking.pip("--no-index", "--find-links", str(index.directory), "lib")
    assert answer == {"lib": "2.0"}
    index.requests.clear()
    assert asking.renewed(reading)
    assert index.requests == []


# Bad days of the index


def test_an_index_that_is_down(asking: Asking, index: Index, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    with serving(tmp_path / "second") as second:
        _fill(second)
        asking.environ["PIP_INDEX_URL"] = second.simple
        _, reading = asking.pip("app")
    began = time.monotonic()
    assert not asking.renewed(reading)
    assert time.monotonic() - began < 20


def test_an_index_that_is_slow(asking: Asking, index: Index) -> None:
    _, reading = asking.pip("app")
    index.delay = 30.0
    began = time.monotonic()
    assert not asking.renewed(reading)
    assert time.monotonic() - began < 20, "no longer than pip would have waited"


def test_half_an_answer(asking: Asking, index: Index) -> None:
    _, reading = asking.pip("app")
    index.short = True
    assert not asking.renewed(reading)


def test_readings_are_kept_as_json(asking: Asking, index: Index) -> None:
    _, reading = asking.pip("app")
    assert Reading.of(json.loads(json.dumps(asdict(reading)))) == reading
