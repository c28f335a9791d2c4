"""Unpacking an sdist: what pip makes of it, or nothing."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.projects.backend import BackendError
from nox_linkenv.projects.unpacking import unpacked
from tests.renewal.asking import python_with_pip

if TYPE_CHECKING:
    from pathlib import Path

_MEMBERS = [("demo-1.0", 0o755), ("demo-1.0/setup.py", 0o600), ("demo-1.0/a/b.sh", 0o744), ("demo-1.0/ä", 0o644)]


def _member(name: str, mode: int = 0o644, *, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.mtime, info.type, info.linkname = mode, 1_600_000_000, kind, link
    return info


def _tar(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as writer:
        for info in members:
            info.size = 4 if info.isreg() else 0
            writer.addfile(info, io.BytesIO(b"text"))
    return path


def _zip(path: Path, *members: tuple[str, int]) -> Path:
    with zipfile.ZipFile(path, "w") as writer:
        for name, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            writer.writestr(info, "" if name.endswith("/") else "text")
    return path


def _tree(root: Path, *, times: bool) -> dict[str, tuple[int | str, int | None]]:
    found: dict[str, tuple[int | str, int | None]] = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(root))] = os.readlink(path), None
            continue
        status = path.stat()
        found[str(path.relative_to(root))] = (status.st_mode, status.st_mtime_ns if times and path.is_file() else None)
    return found


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_it_is_what_pip_makes(tmp_path: Path, shared_dir: Path, kind: str) -> None:
    if kind == "zip":
        modes = [(f"{name}/" if name == "demo-1.0" else name, 0o100000 | mode) for name, mode in _MEMBERS]
        archive = _zip(tmp_path / "demo-1.0.zip", ("demo-1.0/", 0o040755), *modes[1:], ("demo-1.0/plain", 0))
    else:
        top = _member("demo-1.0", 0o755, kind=tarfile.DIRTYPE)
        links = [
            _member(f"demo-1.0/{name}", kind=tarfile.SYMTYPE, link=link)
            for name, link in (("c/up", "../a/b.sh"), ("d", "a"), ("none", "missing/file"))
        ]
        archive = _tar(tmp_path / "demo-1.0.tar.gz", top, *(_member(*member) for member in _MEMBERS[1:]), *links)
    code = f"from pip._internal.utils.unpacking import unpack_file; unpack_file({str(archive)!r}, 'pips')"
    subprocess.run([str(python_with_pip(shared_dir)), "-c", code], cwd=tmp_path, check=True)
    with unpacked(str(archive), {"TMPDIR": str(tmp_path)}) as directory:
        assert os.path.dirname(directory) == str(tmp_path)
        ours = _tree(tmp_path / directory, times=kind != "zip")
    assert ours == _tree(tmp_path / "pips", times=kind != "zip")
    assert len(ours) >= 4
    assert not os.path.exists(directory)


_ODD = {
    "link": [_member("demo-1.0/a", kind=tarfile.SYMTYPE, link="/etc")],
    "link out of it": [_member("demo-1.0/a/b", kind=tarfile.SYMTYPE, link="../../a")],
    "link to all of it": [_member("demo-1.0/a", kind=tarfile.SYMTYPE, link=".")],
    "link with a detour": [_member("demo-1.0/a", kind=tarfile.SYMTYPE, link="b/../c")],
    "behind a link": [_member("demo-1.0/a", kind=tarfile.SYMTYPE, link="b"), _member("demo-1.0/a/c")],
    "in the place of a link": [_member("demo-1.0/a", kind=tarfile.SYMTYPE, link="b"), _member("demo-1.0/a")],
    "link in the place of a file": [_member("demo-1.0/a"), _member("demo-1.0/a", kind=tarfile.SYMTYPE, link="b")],
    "hard link": [_member("demo-1.0/a"), _member("demo-1.0/b", kind=tarfile.LNKTYPE, link="demo-1.0/a")],
    "device": [_member("demo-1.0/a", kind=tarfile.FIFOTYPE)],
    "two directories": [_member("demo-1.0/a"), _member("other/a")],
    "no directory": [_member("setup.py")],
    "twice": [_member("demo-1.0/a"), _member("demo-1.0/a")],
    "file as directory": [_member("demo-1.0/a"), _member("demo-1.0/a/b")],
    "above": [_member("demo-1.0/../../stolen")],
    "top above": [_member("../stolen")],
    "absolute": [_member("/stolen")],
    "here": [_member("./demo-1.0/a")],
}


@pytest.mark.parametrize("name", _ODD)
def test_what_is_odd_is_left_to_pip(tmp_path: Path, name: str) -> None:
    (tmp_path / "temporary").mkdir()
    archive = _tar(tmp_path / "demo-1.0.tar.gz", *_ODD[name])
    environ = {"TMPDIR": f"{tmp_path}/temporary"}
    with pytest.raises(BackendError, match="cannot be unpacked"), unpacked(str(archive), environ):
        pass
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["demo-1.0.tar.gz", "temporary"]


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00broken"])
@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_what_is_no_archive_is_left_to_pip(tmp_path: Path, content: bytes, kind: str) -> None:
    archive = tmp_path / f"demo-1.0.{kind}"
    archive.write_bytes(content)
    with pytest.raises(BackendError), unpacked(str(archive), {"TMPDIR": str(tmp_path)}):
        pass


def test_a_link_in_a_zip_is_left_to_pip(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "demo-1.0.zip", ("demo-1.0/a", 0o120777))
    with pytest.raises(BackendError, match="no plain file"), unpacked(str(archive), {"TMPDIR": str(tmp_path)}):
        pass


def test_no_repository_is_around_it(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    archive = _tar(tmp_path / "demo-1.0.tar.gz", _member("demo-1.0/a"))
    with pytest.raises(BackendError, match="no place apart"), unpacked(str(archive), {"TMPDIR": str(tmp_path)}):
        pass
