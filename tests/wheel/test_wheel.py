"""The reader: good wheels are read as pip reads them, hostile ones are refused."""

from __future__ import annotations

import stat
import struct
import tracemalloc
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Literal

import pytest

from nox_linkenv.digest import BLOCK
from nox_linkenv.errors import UnsupportedWheelError, WheelError
from nox_linkenv.wheel import EntryPoint, Scheme, Wheel
from tests.support.odd_wheels import LEFT, STORED, OddWheel
from tests.support.wheels import HOSTILE, HostileWheel, Member, Row, insert, make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def contents(path: Path) -> dict[str, bytes]:
    with Wheel.open(path) as wheel:
        return {file.name: b"".join(wheel.read(file)) for file in wheel.files}


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.id)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_hostile_wheel_is_refused(hostile: HostileWheel, tmp_path: Path) -> None:
    path = hostile.build(tmp_path)
    if hostile.on_read:
        Wheel.open(path).close()
    with pytest.raises(WheelError, match=hostile.match) as caught:
        contents(path)
    assert not isinstance(caught.value, UnsupportedWheelError)
    assert caught.value.path == path
    assert caught.value.remedy.endswith(".")


@pytest.mark.parametrize("odd", [odd for odd in LEFT if odd.match], ids=lambda odd: odd.id)
def test_odd_wheel_is_left_to_pip(odd: OddWheel, tmp_path: Path) -> None:
    path = odd.build(tmp_path)
    with pytest.raises(UnsupportedWheelError, match=odd.match) as caught:
        contents(path)
    assert caught.value.path == path
    assert caught.value.remedy.endswith(".")


@pytest.mark.parametrize("odd", STORED, ids=lambda odd: odd.id)
def test_odd_wheel_is_read_whole(odd: OddWheel, tmp_path: Path) -> None:
    path = odd.build(tmp_path)
    with zipfile.ZipFile(path) as archive:
        expected = {name: archive.read(name) for name in archive.namelist() if name != "demo-1.0.dist-info/RECORD"}
    assert contents(path) == expected
    with Wheel.open(path) as wheel:
        assert wheel.unhashed == odd.unhashed


def test_what_is_hostile_stays_hostile_where_it_is_odd_too(tmp_path: Path) -> None:
    """Only pip would look at it then, and pip takes a symbolic link for a file."""
    link = Member("link.py", b"demo.py", stat.S_IFLNK | 0o777)
    with pytest.raises(WheelError, match="symbolic link") as caught:
        Wheel.open(make_wheel(tmp_path, more=[Member("./x.py", b""), link]))
    assert not isinstance(caught.value, UnsupportedWheelError)


def test_ids_are_unique() -> None:
    ids = [*(wheel.id for wheel in HOSTILE), *(wheel.id for wheel in (*LEFT, *STORED))]
    assert len(ids) == len(set(ids))


def test_all_five_schemes(tmp_path: Path) -> None:
    names = [f"demo-1.0.data/{scheme.value}/sub/{scheme.value}.x" for scheme in Scheme]
    path = make_wheel(tmp_path, files={name: name.encode() for name in names})
    with Wheel.open(path) as wheel:
        found = {(file.name, file.scheme, file.path) for file in wheel.files if "data" in file.name.partition("/")[0]}
    assert found == {(name, scheme, f"sub/{scheme.value}.x") for name, scheme in zip(names, Scheme, strict=True)}


@pytest.mark.parametrize(("pure", "scheme"), [(True, Scheme.PURELIB), (False, Scheme.PLATLIB)])
def test_facts_of_a_wheel(tmp_path: Path, pure: bool, scheme: Scheme) -> None:
    path = make_wheel(tmp_path, "My-Demo", "1.0+local.1", root_is_purelib=pure, tag="py2.py3-none-any")
    with Wheel.open(path) as wheel:
        assert (wheel.path, wheel.name, wheel.version) == (path, "My-Demo", "1.0+local.1")
        assert wheel.dist_info == "My_Demo-1.0+local.1.dist-info"
        assert wheel.root_is_purelib is pure
        assert wheel.tags == ("py2.py3-none-any",)
        assert wheel.entry_points == ()
        assert {file.scheme for file in wheel.files} == {scheme}
        assert [file.path for file in wheel.files] == [
            "demo.py",
            f"{wheel.dist_info}/METADATA",
            f"{wheel.dist_info}/WHEEL",
        ]


def test_contents_and_digests(tmp_path: Path) -> None:
    files = {"empty.py": b"", "small.py": b"x = 1\n", "block.bin": bytes(BLOCK), "more.bin": b"ab" * BLOCK + b"c"}
    path = make_wheel(tmp_path, files=files)
    assert contents(path).items() >= files.items()
    with Wheel.open(path) as wheel:
        by_name = {file.name: file for file in wheel.files}
        assert {name: by_name[name].size for name in files} == {name: len(data) for name, data in files.items()}
        assert by_name["empty.py"].digest == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        assert max(len(block) for block in wheel.read(by_name["more.bin"])) <= BLOCK


@pytest.mark.parametrize("algorithm", ["sha384", "sha512", "sha3_256", "blake2b"])
def test_stronger_hashes_are_verified(tmp_path: Path, algorithm: str) -> None:
    path = make_wheel(tmp_path, hash_name=algorithm, method=zipfile.ZIP_STORED)
    with Wheel.open(path) as wheel:
        assert {file.digest for file in wheel.files} == {None}
    assert contents(path)["demo.py"] == b"print('demo')\n"

    def change(rows: list[Row]) -> list[Row]:
        return [(rows[0][0], rows[1][1], rows[0][2]), *rows[1:]]

    path = make_wheel(tmp_path, hash_name=algorithm, rows=change)
    with pytest.raises(WheelError, match=f"another {algorithm} hash"):
        contents(path)


@pytest.mark.parametrize(
    ("mode", "executable"),
    [
        (stat.S_IFREG | 0o755, True),
        (stat.S_IFREG | 0o010, True),
        (stat.S_IFREG | 0o644, False),
        (0o755, False),  # pip wants the type bits too
        (0, False),
    ],
)
def test_executable_as_pip_decides(tmp_path: Path, mode: int, executable: bool) -> None:
    path = make_wheel(tmp_path, modes={"demo.py": mode})
    with Wheel.open(path) as wheel:
        assert wheel.files[0].executable is executable


def test_entry_points(tmp_path: Path) -> None:
    text = """
        # indented, as in some old wheels
        [console_scripts]
        demo = demo:main
        demo = demo.cli:App.run [extra, other]
        demo-2=demo:two
        [gui_scripts]
        demo = demo:gui
        [other.group]
        ../any = thing
    """
    with Wheel.open(make_wheel(tmp_path, entry_points=text)) as wheel:
        assert wheel.entry_points == (
            EntryPoint("demo", "demo.cli:App.run", gui=False),
            EntryPoint("demo-2", "demo:two", gui=False),
            EntryPoint("demo", "demo:gui", gui=True),
        )


def _commented(path: Path) -> Path:
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"a comment PK with a signature's first bytes"
    return path


def _prefixed(path: Path) -> Path:
    path.write_bytes(b"#!/usr/bin/env python3\n" + path.read_bytes())
    return path


_UNICODE_PATH = struct.pack("<HHBL", 0x7075, 9, 1, zlib.crc32(b"x.py")) + b"x.py"
_PADDED_EXTRA = struct.pack("<HH4s", 0xD935, 4, b"\0\0\0\0")

GOOD: dict[str, Callable[[Path], Path]] = {
    "stored": lambda d: make_wheel(d, method=zipfile.ZIP_STORED),
    "data-descriptors": lambda d: make_wheel(d, streamed=True),
    "data-descriptors-stored": lambda d: make_wheel(d, streamed=True, method=zipfile.ZIP_STORED),
    "zip64": lambda d: make_wheel(d, zip64=True),
    "zip64-data-descriptors": lambda d: make_wheel(d, zip64=True, streamed=True),
    "extra-field": lambda d: make_wheel(d, more=[Member("x.py", b"", extra=_PADDED_EXTRA)]),
    "same-unicode-path": lambda d: make_wheel(d, more=[Member("x.py", b"", extra=_UNICODE_PATH)]),
    "comment": lambda d: _commented(make_wheel(d)),
    "prefix": lambda d: _prefixed(make_wheel(d)),
    "padding": lambda d: insert(make_wheel(d), "demo-1.0.dist-info/WHEEL", b"\0" * 64),
    "build-number": lambda d: make_wheel(d, file_name="demo-1.0-2abc-py3-none-any.whl"),
    "several-tags": lambda d: make_wheel(d, file_name="demo-1.0-py2.py3-none-any.whl"),
    "file-name-spelling": lambda d: make_wheel(d, file_name="Demo-1.0.0-py3-none-any.whl"),
    "dist-info-spelling": lambda d: make_wheel(d, dist_info="DEMO-1.0.dist-info"),
    "hyphen-in-version": lambda d: make_wheel(d, "demo", "1.0.post1", dist_info="demo-1.0-1.dist-info"),
    "hyphen-in-data": lambda d: make_wheel(d, "a-demo", files={"a-demo-1.0.data/data/x": b"x"}),
    "data-spelling": lambda d: make_wheel(d, files={"Demo-1.0.0.data/data/x": b"x"}),
    "minor-version": lambda d: make_wheel(d, wheel=b"Wheel-Version: 1.9\nRoot-Is-Purelib: true\n"),
    "directories": lambda d: make_wheel(
        d, more=[Member(name, b"", stat.S_IFDIR | 0o755) for name in ("sub/", "./", "demo-1.0.data/", "sub/")]
    ),
    "signature": lambda d: make_wheel(d, more=[Member("demo-1.0.dist-info/RECORD.jws", b"{}", recorded=False)]),
    "no-size": lambda d: make_wheel(d, rows=lambda rows: [(rows[0][0], rows[0][1], ""), *rows[1:]]),
    "padded-hash": lambda d: make_wheel(d, rows=lambda rows: [(rows[0][0], rows[0][1] + "=", rows[0][2]), *rows[1:]]),
    "case-only": lambda d: make_wheel(d, files={"demo/A.py": b"a", "demo/a.py": b"b"}),
    "odd-names": lambda d: make_wheel(
        d, files={"demo/a b,\"c'.txt": b"x", "demo/\u00e9\u4e2d.py": b"y", "demo/..x": b"z", "aux.py": b""}
    ),
    "script-in-subdirectory": lambda d: make_wheel(d, files={"demo-1.0.data/scripts/sub/run": b"#!python\n"}),
}


@pytest.mark.parametrize("build", GOOD.values(), ids=GOOD.keys())
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_good_wheel_is_read_whole(build: Callable[[Path], Path], tmp_path: Path) -> None:
    path = build(tmp_path)
    with zipfile.ZipFile(path) as archive:
        expected = {
            name: archive.read(name) for name in archive.namelist() if not name.endswith(("/", ".dist-info/RECORD"))
        }
    assert contents(path) == expected


def test_hexadecimal_hash(tmp_path: Path) -> None:
    """Some builders write hexadecimal digits where base64 should be."""
    digest = "18138dab63bb24fe25c8a9cc6fe2f0b9ac0bd36fbc9ab0bdfaa3f4ec4a8e4a50"

    def change(rows: list[Row]) -> list[Row]:
        return [(rows[0][0], f"sha256={digest}", rows[0][2]), *rows[1:]]

    path = make_wheel(tmp_path, rows=change)
    with Wheel.open(path) as wheel:
        assert wheel.files[0].digest == digest
    with pytest.raises(WheelError, match="another sha256 hash"):
        contents(path)


def test_large_member_is_streamed(tmp_path: Path) -> None:
    size = 64 << 20
    path = make_wheel(tmp_path, files={"large.bin": bytes(size)})
    tracemalloc.start()
    try:
        with Wheel.open(path) as wheel:
            total = sum(len(block) for block in wheel.read(wheel.files[0]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == size
    assert peak < 8 * BLOCK


def test_bomb_is_cut_at_the_declared_size(tmp_path: Path) -> None:
    bomb = next(hostile for hostile in HOSTILE if hostile.id == "bomb-large")
    sizes: list[int] = []
    # extend() keeps what came before the error
    with Wheel.open(bomb.build(tmp_path)) as wheel, pytest.raises(WheelError):
        sizes.extend(len(block) for block in wheel.read(wheel.files[0]))
    assert 0 < sum(sizes) <= wheel.files[0].size


def test_nothing_stays_open_after_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows cannot remove an open file, and a test run with ResourceWarning as error would fail."""
    streams: list[IO[bytes]] = []
    opened = type(tmp_path).open

    def spy(self: Path, mode: Literal["rb"]) -> IO[bytes]:
        streams.append(opened(self, mode))
        return streams[-1]

    path = make_wheel(tmp_path, omit=["WHEEL"])
    monkeypatch.setattr(type(tmp_path), "open", spy)
    with pytest.raises(WheelError):
        Wheel.open(path)
    assert [stream.closed for stream in streams] == [True]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Wheel.open(tmp_path / "demo-1.0-py3-none-any.whl")
