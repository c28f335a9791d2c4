"""The fingerprint against a plain hash of everything, and what it counts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from nox_linkenv.projects.fingerprint import UnknownTreeError, fingerprint
from nox_linkenv.store import Store
from tests.support.notes import note_in, write_note

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES = st.sampled_from(["a.py", "b.py", "src/a.py", "src/pkg/c.py", "build/lib/a.py", "demo.egg-info/SOURCES.txt"])
_BODIES = st.sampled_from([b"", b"one", b"two", b"three", b"\x00" * 9])


def _plain(root: Path) -> dict[str, str]:
    """Everything there is, read anew."""
    found = {}
    for directory, directories, files in os.walk(root):
        for name in [*directories, *files]:
            path = Path(directory, name)
            relative = str(path.relative_to(root))
            if path.is_symlink():
                found[relative] = f"-> {path.readlink()}"
            elif path.is_dir():
                found[relative] = "directory"
            else:
                mode = path.stat().st_mode & 0o111
                found[relative] = f"{mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return found


class _Tree(RuleBasedStateMachine):
    """Does to a tree whatever can be done, and compares: equal trees have equal fingerprints, others have others."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp(prefix="linkenv-test-"))
        self.root = self.base / "project"
        self.root.mkdir()
        (self.root / "a.py").write_bytes(b"one")
        self.store = Store.open(self.base / "store")
        self.late = 0  # nanoseconds that the clock is ahead, so that files count as old
        self.seen: dict[str, str] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.base)

    def _files(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink())

    @rule(name=_NAMES, body=_BODIES)
    def write(self, name: str, body: bytes) -> None:
        path = self.root / name
        if path.is_symlink():
            path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    @rule()
    def edit_and_touch_back(self) -> None:
        """Another content of the same size, with the old times set again: only ctime can tell."""
        for path in self._files()[:1]:
            before = path.stat()
            content = path.read_bytes()
            path.write_bytes(bytes(byte ^ 1 for byte in content))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule(data=st.data(), name=_NAMES)
    def rename(self, data: st.DataObject, name: str) -> None:
        files = self._files()
        target = self.root / name
        if files and target.parent.is_dir() and not target.is_symlink():
            data.draw(st.sampled_from(files)).rename(target)

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if files := self._files():
            data.draw(st.sampled_from(files)).unlink()

    @rule(data=st.data(), mode=st.sampled_from([0o644, 0o755, 0o744]))
    def chmod(self, data: st.DataObject, mode: int) -> None:
        if files := self._files():
            data.draw(st.sampled_from(files)).chmod(mode)

    @rule(data=st.data(), seconds=st.integers(0, 2_000_000_000))
    def touch(self, data: st.DataObject, seconds: int) -> None:
        """Changes nothing that counts."""
        if files := self._files():
            os.utime(data.draw(st.sampled_from(files)), (seconds, seconds))

    @rule(leads_to=st.sampled_from(["a.py", "src", "nowhere"]))
    def link(self, leads_to: str) -> None:
        path = self.root / "link"
        path.unlink(missing_ok=True)
        path.symlink_to(leads_to)

    @rule()
    def time_passes(self) -> None:
        """More than a tick of the filesystem's clock really passes, the rest is pretended for one look."""
        time.sleep(0.02)
        self.late = 10_000_000_000

    @invariant()
    def agrees(self) -> None:
        plain = repr(sorted(_plain(self.root).items()))
        digest = fingerprint(self.store, str(self.root), clock=lambda: time.time_ns() + self.late).digest
        self.late = 0
        assert digest == fingerprint(Store.open(self.base / "fresh"), str(self.root)).digest
        assert self.seen.setdefault(plain, digest) == digest
        assert list(self.seen.values()).count(digest) == 1


_Tree.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestTree = _Tree.TestCase


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "pyproject.toml").write_text("[project]\nname = 'demo'\n")
    (root / "src" / "demo.py").write_text("one = 1\n")
    return root


@pytest.fixture
def digest(tmp_path: Path, project: Path) -> Callable[[], str]:
    store = Store.open(tmp_path / "store")
    return lambda: fingerprint(store, str(project)).digest


def test_same_size_and_times_within_the_racy_window(tmp_path: Path, project: Path) -> None:
    """As if the clock of the filesystem had stood still between two edits."""
    path = project / "src" / "demo.py"
    store = Store.open(tmp_path / "store")
    stamp = path.stat()
    first = fingerprint(store, str(project), clock=lambda: max(stamp.st_mtime_ns, stamp.st_ctime_ns) + 1).digest
    # Nothing of so young a file may have been remembered: not even a lie about it would be noticed.
    for index in Path(store.layout.base).glob("projects/*"):
        assert "src/demo.py" not in index.read_text()
    path.write_text("two = 1\n")
    assert fingerprint(store, str(project)).digest != first


def test_an_unchanged_tree_is_not_read(tmp_path: Path, project: Path) -> None:
    store = Store.open(tmp_path / "store")
    later = max(path.stat().st_ctime_ns for path in project.rglob("*")) + 10_000_000_000
    first = fingerprint(store, str(project), clock=lambda: later).digest
    index = next((Path(store.layout.base) / "projects").iterdir())
    true = hashlib.sha256((project / "src" / "demo.py").read_bytes()).hexdigest()
    note = json.dumps(note_in(index))
    assert true in note
    write_note(index, json.loads(note.replace(true, "0" * 64)))
    assert fingerprint(store, str(project), clock=lambda: later).digest != first


@pytest.mark.parametrize(
    "path",
    [
        ".nox/x/lib/y.py",
        ".tox/x",
        "src/__pycache__/demo.cpython-312.pyc",
        ".pytest_cache/v",
        ".mypy_cache/v",
        ".ruff_cache/v",
        ".coverage",
        ".coverage.host.123",
        "dist/demo-1.0-py3-none-any.whl",
    ],
)
def test_leavings_of_sessions_do_not_count(project: Path, digest: Callable[[], str], path: str) -> None:
    (project / "dist").mkdir()
    before = digest()
    target = project / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("x")
    assert digest() == before


@pytest.mark.parametrize("path", ["build/lib/old.py", "demo.egg-info/SOURCES.txt", "dist/demo.py", "src/.hidden"])
def test_what_backends_read_counts(project: Path, digest: Callable[[], str], path: str) -> None:
    before = digest()
    target = project / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("x")
    assert digest() != before


def test_environments_do_not_count(project: Path, digest: Callable[[], str]) -> None:
    before = digest()
    (project / "venv" / "lib").mkdir(parents=True)
    (project / "venv" / "pyvenv.cfg").write_text("home = /usr\n")
    (project / "venv" / "lib" / "x.py").write_text("x")
    assert digest() != before  # a file of this name alone may be data
    (project / "venv" / "bin").mkdir()
    (project / "venv" / "bin" / "python").symlink_to("/nowhere")
    assert digest() == before


def test_a_link_out_of_the_tree_counts_with_its_content(
    tmp_path: Path, project: Path, digest: Callable[[], str]
) -> None:
    outside = tmp_path / "README.md"
    outside.write_text("one")
    (project / "README.md").symlink_to(outside)
    before = digest()
    outside.write_text("two")
    assert digest() != before


def test_a_link_to_a_directory_outside_is_not_guessed_at(
    tmp_path: Path, project: Path, digest: Callable[[], str]
) -> None:
    (tmp_path / "shared").mkdir()
    (project / "shared").symlink_to(tmp_path / "shared")
    with pytest.raises(UnknownTreeError, match="outside of the project"):
        digest()


def _git(directory: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)


@pytest.fixture
def repository(project: Path) -> Path:
    _git(project, "init", "-q")
    _git(project, "add", ".")
    _git(project, "commit", "-q", "-m", "one")
    return project


@pytest.mark.parametrize(
    "arguments",
    [
        ("tag", "v1.0"),
        ("tag", "-a", "v1.0", "-m", "x"),
        ("commit", "-q", "--allow-empty", "-m", "two"),
        ("checkout", "-q", "-b", "other"),
        ("rm", "-q", "--cached", "src/demo.py"),
    ],
)
def test_what_versions_are_made_of_counts(
    repository: Path, digest: Callable[[], str], arguments: tuple[str, ...]
) -> None:
    before = digest()
    _git(repository, *arguments)
    assert digest() != before


def test_packed_tags_count(repository: Path, digest: Callable[[], str]) -> None:
    _git(repository, "pack-refs", "--all")
    before = digest()
    _git(repository, "tag", "v2.0")
    _git(repository, "pack-refs", "--all")
    assert digest() != before


def test_what_git_does_for_itself_does_not_count(repository: Path, digest: Callable[[], str]) -> None:
    before = digest()
    path = repository / "src" / "demo.py"
    path.touch()
    _git(repository, "status")  # renews the times in the index
    _git(repository, "update-ref", "refs/remotes/origin/main", "HEAD")
    assert digest() == before


def test_a_project_in_a_repository_sees_all_of_it(tmp_path: Path, repository: Path) -> None:
    inner = repository / "packages" / "inner"
    inner.mkdir(parents=True)
    (inner / "pyproject.toml").write_text('readme = "../../README.md"\n')
    store = Store.open(tmp_path / "store")
    before = fingerprint(store, str(inner)).digest
    (repository / "README.md").write_text("x")
    after = fingerprint(store, str(inner))
    assert after.digest != before
    assert after.digest != fingerprint(store, str(repository)).digest


def test_worktrees_and_submodules(tmp_path: Path, repository: Path) -> None:
    tree = tmp_path / "tree"
    _git(repository, "worktree", "add", "-q", str(tree))
    store = Store.open(tmp_path / "store")
    before = fingerprint(store, str(tree)).digest
    _git(repository, "tag", "v3.0")
    assert fingerprint(store, str(tree)).digest != before
