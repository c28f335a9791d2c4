"""Every form in which a local project is named, and options beside it: as pip has it, and without pip the next time."""

from __future__ import annotations

import shutil
import tarfile
from typing import TYPE_CHECKING, Final

import pytest

from tests.parity.compare import tree_differences
from tests.projects.tool import Bench, make_project
from tests.support.backend import backend_text
from tests.support.index import serving
from tests.support.suites import usually
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

_BACKEND: Final = """

    MORE = 'Provides-Extra: extra\\nRequires-Dist: other; extra == "extra"\\n'

    def build_wheel(directory, config_settings=None, metadata_directory=None):
        return write_wheel(directory, NAME, "1.0", {NAME + ".py": f"BACKEND = {VERSION!r}\\n"}, more=MORE)

    def build_editable(directory, config_settings=None, metadata_directory=None):
        return write_wheel(directory, NAME, "1.0", {NAME + ".pth": os.getcwd() + "\\n"}, more=MORE)
"""
_PYPROJECT: Final = '[build-system]\nrequires = ["tinybackend"]\nbuild-backend = "tinybackend"\n'
_FILES: Final = {
    "older.txt": "tiny<2\n",
    "nested.txt": "-r older.txt\nother\n",
    "links.txt": "--find-links {root}/more\nmore\n",
    "pre.txt": "--pre\n--find-links {root}/more\n",
    "index.txt": "--extra-index-url file://{root}/index\ntiny\n",
    "only.txt": "--only-binary other\ntiny\n",
    "editable.txt": "-e .[extra]  # this one\ntiny\n",
    "path.txt": "./sub\ntiny\n",
    "both.txt": "-r path.txt\n-e .\n",
    "relative.txt": "tiny\ndemo @ file:.\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project, and one in a directory of it; the build requirement is there twice, the newer one elsewhere."""
    for place, version in (("wheels", "1.0"), ("more", "2.0"), ("more", "3.0a1")):
        (tmp_path / place).mkdir(exist_ok=True)
        text = f"VERSION = {version!r}\nimport os\nHERE = os.path.basename(os.getcwd())\n"
        text += "NAME = HERE if HERE in ('demo', 'sub') else 'other'\n"
        files = {"tinybackend.py": (backend_text(_BACKEND) + text).encode()}
        make_wheel(tmp_path / place, "tinybackend", version, files)
    make_wheel(tmp_path / "more", "more", "1.0", {"more.py": b""})
    for version in ("1.0", "2.0"):
        make_wheel(tmp_path / "wheels", "tiny", version, {"tiny.py": b""})
    make_wheel(tmp_path / "wheels", "other", "1.0", {"other.py": b""})
    path = tmp_path / "demo"
    for directory in (path, path / "sub"):
        directory.mkdir()
        (directory / "pyproject.toml").write_text(_PYPROJECT)
    for name, text in _FILES.items():
        (path / name).write_text(text.format(root=tmp_path))
    return path


@pytest.fixture
def bench(tmp_path: Path, bench: Bench) -> Bench:
    """A store of its own: nothing here is fetched."""
    return Bench(tmp_path, bench.interpreter)


def _form(text: str, *, often: bool = False) -> object:
    return pytest.param(text.split("|"), id=text, marks=() if often else pytest.mark.slow)


@pytest.mark.parametrize(
    "arguments",
    [
        _form("-v|."),
        _form(".; python_version > '3'", often=True),
        _form(".[extra] ;python_version > '3'"),
        _form("demo @ file://{root}/demo", often=True),
        _form("demo[extra] @ file://{root}/demo ; python_version > '3'"),
        _form("file://{root}/demo"),
        _form("-e|file://{root}/demo"),
        _form("--only-binary|other|.|other"),
        _form("--only-binary|:all:|.|other"),
        _form("--no-binary|demo|."),
        _form("-r|nested.txt|."),
        _form("-r|links.txt|.", often=True),
        _form("--pre|--find-links|{root}/more|.", often=True),
        _form("-r|pre.txt|."),
        _form("-r|index.txt|."),
        _form("-r|only.txt|."),
        _form("-r|editable.txt", often=True),
        _form("-r|path.txt"),
        _form("-r|path.txt|."),
        _form("-r|both.txt"),
        _form("-r|relative.txt", often=True),
        _form("demo[extra] @ file:../demo ; python_version > '3'"),
        _form("file:sub|file:."),
        _form("-I|."),
        _form("-I|tiny"),
        _form("--exists-action|w|."),
        _form("--use-feature|truststore|."),
        _form("--uploaded-prior-to|2030-01-01T00:00:00Z|tiny"),
    ],
)
def test_as_pip_and_then_without_it(project: Path, bench: Bench, arguments: list[str]) -> None:
    arguments = [argument.format(root=bench.root) for argument in arguments]
    environ = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(bench.root / "wheels")}
    bench.by_pip(project, *arguments, environ=environ)
    expected = bench.tree()
    for says in ("asked pip: this request is new", "reused the resolution of "):
        bench.calls.clear()
        told = bench.install(project, *arguments, environ=environ)
        assert told.message.startswith(says)
        assert tree_differences(expected, bench.tree()) == [], told.message
    assert bench.calls == []


_BESIDE = (
    "-r|links.txt",
    "--find-links|{root}/more|--pre",
    "-r|pre.txt",
    "-r|links.txt|-e|.",
    "-c|{url}/files/links.txt",
)


@pytest.mark.parametrize("form", usually(_BESIDE, "-r|links.txt", "-r|pre.txt", "-c|{url}/files/links.txt"))
def test_what_an_sdist_beside_is_built_with_is_looked_for_as_pip_looks(project: Path, bench: Bench, form: str) -> None:
    environ = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(bench.root / "wheels"), "PIP_NO_CACHE_DIR": "1"}
    with tarfile.open(bench.root / "other-1.0.tar.gz", "w:gz") as archive:
        archive.add(project / "pyproject.toml", "other-1.0/pyproject.toml")
    bench.install(project, str(bench.root / "other-1.0.tar.gz"), environ=environ)  # known as built with what is old
    with serving(bench.root) as index:
        index.add("texts", project / "links.txt")
        words = form.format(root=bench.root, url=index.url).split("|")
        words.append(str(bench.root / "other-1.0.tar.gz"))
        bench.by_pip(project, *words, environ=environ)
        expected = bench.tree()
        for _ in range(2):
            told = bench.install(project, *words, environ=environ)
            assert tree_differences(expected, bench.tree()) == [], told.message


@pytest.mark.parametrize("form", ["-c|{url}/files/upper.txt|-e|.", "-r|{url}/files/upper.txt|."])
def test_files_on_a_server_beside_it(project: Path, bench: Bench, form: str) -> None:
    environ = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(bench.root / "wheels")}
    served = bench.root / "upper.txt"
    with serving(bench.root) as index:
        arguments = [word.format(url=index.url) for word in form.split("|")] + ["tiny"]

        def says(text: str, *, age: float = 600) -> str:
            served.write_text(text)
            index.add("texts", served)
            bench.settings = {"resolution_age": age}
            return bench.install(project, *arguments, environ=environ).message

        assert says("tiny<2\n") == "asked pip: this request is new"
        expected = bench.tree()
        bench.calls.clear()
        assert says("tiny<2\n").startswith("reused the resolution of ")
        assert bench.calls == []
        bench.by_pip(project, *arguments, environ=environ)
        assert tree_differences(bench.tree(), expected) == []
        more = says(f"--find-links {bench.root}/more\n", age=0)
        assert more == f"left to pip: {index.url}/files/upper.txt says more than versions, and something is built"
        expected = bench.tree()
        bench.by_pip(project, *arguments, environ=environ)
        assert tree_differences(bench.tree(), expected) == []


def test_a_project_in_a_file_is_never_stale(project: Path, bench: Bench) -> None:
    environ = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(bench.root / "wheels")}
    for arguments in (["-r", "path.txt"], [f"sub @ file://{project}/sub"]):
        bench.install(project, *arguments, environ=environ)
        backend = project / "sub" / "pyproject.toml"
        backend.write_text(_PYPROJECT.replace("tinybackend", "tinybackend<1", 1))
        with pytest.raises(Exception, match="tinybackend<1"):
            bench.install(project, *arguments, environ=environ)
        backend.write_text(_PYPROJECT)
    (project / "path.txt").write_text("./sub\ntiny\n--pre\n")
    told = bench.install(project, "-r", "path.txt", environ=environ)
    assert told.message == "asked pip: path.txt changed"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("tiny --hash=sha256:" + 64 * "0", "builds inherit --hash from path.txt"),
        ("-i file:///nowhere\n--extra-index-url file:///nowhere", "requirement files name indexes"),
        ("./sub", "a local project is named twice"),
    ],
)
def test_what_only_pip_knows_goes_to_pip(project: Path, bench: Bench, line: str, says: str) -> None:
    from nox_linkenv.projects.requirements import UnmodelledError, find_projects
    from nox_linkenv.resolve.pip_arguments import parse
    from nox_linkenv.resolve.pip_config import PipConfig

    (project / "path.txt").write_text(f"./sub\n{line}\n")
    arguments = parse(["-r", "path.txt"])
    assert arguments is not None
    with pytest.raises(UnmodelledError, match=says):
        find_projects(arguments, environ={}, directory=str(project), config=PipConfig())


@pytest.mark.parametrize(("backend", "more"), [("flit", ""), ("setuptools", "-e ./sub\n")])
def test_a_file_that_names_it_asks_nobody_in_a_fresh_checkout(
    tmp_path: Path, bench: Bench, backend: str, more: str
) -> None:
    project = tmp_path / "project"
    for _ in range(2):
        shutil.rmtree(project, ignore_errors=True)
        make_project(project, backend)
        make_project(project / "sub", "flit")
        metadata = project / "sub" / "pyproject.toml"
        metadata.write_text(metadata.read_text().replace("demo", "sub"))
        (project / "sub" / "src" / "demo").rename(project / "sub" / "src" / "sub")
        (project / "requirements.txt").write_text(f"-e .[test]\n{more}")
        bench.calls.clear()
        bench.install(project, "-r", "requirements.txt")
    assert bench.calls == []
    assert bench.run("demo") == "one\n"
