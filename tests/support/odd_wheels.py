"""Builds wheels that are odd and do no harm: those which are stored as pip installs them, and those left to pip."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.support.wheels import Member, Row, make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["LEFT", "STORED", "OddWheel"]

_MODULE: Final = b"print('demo')\n"
_INFO: Final = "demo-1.0.dist-info"


@dataclass(frozen=True)
class OddWheel:
    """A wheel; *build* writes it into a directory.

    Args:
        match: found in the message on a wheel that is left to pip.
        unhashed: names of what RECORD states no secure hash of.
    """

    id: str
    build: Callable[[Path], Path]
    match: str = ""
    unhashed: tuple[str, ...] = ()


def _files(*names: str) -> Callable[[Path], Path]:
    return lambda directory: make_wheel(directory, files={name: f"# {name}\n".encode() for name in names})


def _scripts(line: str, group: str = "console_scripts") -> Callable[[Path], Path]:
    return lambda directory: make_wheel(directory, entry_points=f"[{group}]\n{line}\n")


def _wheel(text: bytes) -> Callable[[Path], Path]:
    return lambda directory: make_wheel(directory, wheel=text)


def _metadata(text: bytes) -> Callable[[Path], Path]:
    return lambda directory: make_wheel(directory, metadata=text)


def _named(name: str) -> Callable[[Path], Path]:
    return lambda directory: make_wheel(directory, file_name=name)


def _omit(name: str) -> Callable[[Path], Path]:
    return lambda directory: make_wheel(directory, omit=[name])


def _weak(algorithm: str) -> Callable[[Path], Path]:
    return lambda directory: make_wheel(directory, hash_name=algorithm)


def _rows(change: Callable[[list[Row]], list[Row]]) -> Callable[[Path], Path]:
    return lambda directory: make_wheel(directory, rows=change)


def _column(column: int, value: str) -> Callable[[Path], Path]:
    """Change one column of demo.py's row."""

    def change(rows: list[Row]) -> list[Row]:
        first = list(rows[0])
        first[column] = value
        return [(first[0], first[1], first[2]), *rows[1:]]

    return _rows(change)


def _unquoted(directory: Path) -> Path:
    """A name with a comma that stands in RECORD without quotes."""
    files = {"demo/a,b.py": _MODULE}
    quoted = make_wheel(directory, files=files)
    with zipfile.ZipFile(quoted) as archive:
        record = archive.read(f"{_INFO}/RECORD")
    return make_wheel(directory, files=files, record=record.replace(b'"', b""))


_ALL: Final = ("demo.py", f"{_INFO}/METADATA", f"{_INFO}/WHEEL")
_OWN: Final = {"INSTALLER": b"other\n", "REQUESTED": b"text\n", "direct_url.json": b"{}", "RECORD.jws": b"{}"}

#: What RECORD lacks is computed, or does not matter; what lies on one path is there once, as pip writes it.
STORED: Final[list[OddWheel]] = [
    OddWheel(
        "unrecorded",
        lambda d: make_wheel(d, more=[Member("more.py", b"", recorded=False)]),
        unhashed=("more.py",),
    ),
    OddWheel("unrecorded-metadata", _rows(lambda rows: [rows[0], *rows[2:]]), unhashed=(f"{_INFO}/METADATA",)),
    OddWheel("unquoted-comma", _unquoted, unhashed=("demo/a,b.py",)),
    OddWheel("size", _column(2, "13")),
    OddWheel("size-text", _column(2, "many")),
    OddWheel("no-hash", _column(1, ""), unhashed=("demo.py",)),
    OddWheel("no-hashes", _rows(lambda rows: [(row[0], "", "") for row in rows]), unhashed=_ALL),
    OddWheel("no-rows", lambda d: make_wheel(d, record=b""), unhashed=_ALL),
    OddWheel("short-hash", _column(1, "sha256=abc"), unhashed=("demo.py",)),
    OddWheel("unknown-hash", _column(1, "rot13=abc"), unhashed=("demo.py",)),
    OddWheel("md5", _weak("md5"), unhashed=_ALL),
    OddWheel("sha1", _weak("sha1"), unhashed=_ALL),
    OddWheel("sha224", _weak("sha224"), unhashed=_ALL),
    OddWheel("one-column", lambda d: make_wheel(d, record=b"demo.py\n"), unhashed=_ALL),
    OddWheel("row-twice", _rows(lambda rows: [*rows, *rows])),
    OddWheel("two-hashes", _rows(lambda rows: [(rows[0][0], "sha512=abc", ""), *rows])),
    OddWheel("row-of-no-file", _rows(lambda rows: [("gone.py", "md5=x", "many"), *rows])),
    OddWheel(
        "windows-rows",
        lambda d: make_wheel(
            d, files={"a/b.py": b""}, rows=lambda rows: [(row[0].replace("/", "\\"), *row[1:]) for row in rows]
        ),
    ),
    OddWheel(
        "script-twice",
        lambda d: make_wheel(
            d, files={"demo-1.0.data/scripts/run": b"#!python\nprint(1)\n"}, rows=lambda rows: [*rows, *rows]
        ),
    ),
    OddWheel("two-routes", _files("demo.py", "demo-1.0.data/purelib/demo.py")),
    OddWheel("two-routes-reversed", _files("demo-1.0.data/purelib/demo.py", "demo.py")),
    OddWheel("two-libs", _files("demo-1.0.data/platlib/d.py", "demo-1.0.data/purelib/d.py")),
    OddWheel("own-files", lambda d: make_wheel(d, files={f"{_INFO}/{name}": text for name, text in _OWN.items()})),
    OddWheel("wrappers", lambda d: _with_wrappers(d)),
    OddWheel("script-pip", _scripts("pip = demo:main\npip7 = demo:other\npip-tool = demo:main")),
    OddWheel("script-easy-install", _scripts("easy_install = demo:main\neasy_install-3.2 = demo:main")),
]


def _with_wrappers(directory: Path) -> Path:
    """Scripts that setuptools once made of entry points, beside the entry points."""
    scripts = ("demo", "demo-script.py", "Demo.exe", "demo.pya", "other", "sub/demo")
    files = {f"demo-1.0.data/scripts/{name}": f"#!python\n# {name}\n".encode() for name in scripts}
    points = "[console_scripts]\ndemo = demo:main\n[gui_scripts]\nDemo = demo:main\n"
    return make_wheel(directory, files={"demo.py": _MODULE, **files}, entry_points=points)


#: What becomes of these is for pip to say; two of them can be read, and are found out when a plan is made.
def _with_long_record(directory: Path) -> Path:
    more = "".join(f"demo/a/path/of/some/length/{number:09d}.py,,\n" for number in range(400_000))
    return make_wheel(directory, record=f"demo.py,,\n{_INFO}/RECORD,,\n{more}".encode())


LEFT: Final[list[OddWheel]] = [
    OddWheel("here", _files("./demo.py"), r"'\.' in its path"),
    OddWheel("absolute-data", _files("demo-1.0.data/data//etc/demo"), "'' in its path"),
    OddWheel("empty-segment", _files("demo//demo.py"), "'' in its path"),
    OddWheel("drive", _files("C:/demo.py"), "drive letter"),
    OddWheel("drive-relative", _files("c:demo.py"), "drive letter"),
    OddWheel("drive-data", _files("demo-1.0.data/data/C:/demo.py"), "drive letter"),
    OddWheel("backslash", _files("demo\\demo.py"), "backslash"),
    OddWheel("share", _files("\\\\host\\demo.py"), "backslash"),
    OddWheel("unknown-scheme", _files("demo-1.0.data/stdlib/os.py"), "unknown scheme 'stdlib'"),
    OddWheel("no-scheme", _files("demo-1.0.data/demo"), "unknown scheme 'demo'"),
    OddWheel("scheme-file", _files("demo-1.0.data/scripts"), "scheme's directory should be"),
    OddWheel("second-data", _files("demo-1.0.data/data/x", "Demo-1.0.data/data/y"), r"more than one \.data"),
    OddWheel("file-and-directory", _files("demo", "demo/more.py")),
    OddWheel("below-record", _files(f"{_INFO}/RECORD/more")),
    OddWheel("long-record", _with_long_record, "RECORD' of the wheel is larger"),
    OddWheel("other-data", _files("more-1.0.data/data/x"), r"\.data directory of another"),
    OddWheel("second-dist-info", _files("more-1.0.dist-info/METADATA"), r"not one \.dist-info directory but 2"),
    OddWheel("second-dist-info-case", _files("demo-1.0.DIST-INFO/x"), r"not one \.dist-info directory but 2"),
    OddWheel("dist-info-in-data", _files("demo-1.0.data/purelib/a-2.dist-info/METADATA"), r"second \.dist-info"),
    OddWheel("record-in-data", _files(f"demo-1.0.data/purelib/{_INFO}/RECORD"), r"second \.dist-info"),
    OddWheel("bzip2", lambda d: make_wheel(d, method=zipfile.ZIP_BZIP2), "neither stored nor deflated"),
    OddWheel("lzma", lambda d: make_wheel(d, method=zipfile.ZIP_LZMA), "neither stored nor deflated"),
    OddWheel("record-latin1", lambda d: make_wheel(d, record=b"d\xe9mo.py,,\n"), "RECORD'.*not UTF-8"),
    OddWheel("record-empty-line", lambda d: make_wheel(d, record=b"demo.py,,\n\n"), "RECORD with an empty line"),
    OddWheel("script-blank", _scripts("sp ace = demo:main"), "entry point name 'sp ace'"),
    OddWheel("script-subdirectory", _scripts("sub/demo = demo:main"), "entry point name"),
    OddWheel("script-backslash", _scripts("..\\demo = demo:main"), "entry point name"),
    OddWheel("script-drive", _scripts("c:demo = demo:main"), "entry point name"),
    OddWheel("script-empty", _scripts("= demo:main"), "entry point name ''"),
    OddWheel("script-no-equals", _scripts("demo"), r"entry_points.txt that cannot be read \('demo'\)"),
    OddWheel("other-no-equals", _scripts("demo", "plugins"), "entry_points.txt that cannot be read"),
    OddWheel("other-free-text", _scripts("demo = any text", "plugins"), "'any text', which pip on Python 3.15 refuses"),
    OddWheel("script-module", _scripts("demo = demo"), "not module:attribute"),
    OddWheel("script-code", _scripts("demo = os:system('x')"), "not module:attribute"),
    OddWheel("script-no-attribute", _scripts("demo = demo:"), "not module:attribute"),
    OddWheel("script-two-colons", _scripts("demo = demo:main:more"), "not module:attribute"),
    OddWheel("script-odd-extra", _scripts("demo = demo:main [a.b]"), "not module:attribute"),
    OddWheel("no-wheel", _omit("WHEEL"), "has no demo-1.0.dist-info/WHEEL"),
    OddWheel("no-metadata", _omit("METADATA"), "has no demo-1.0.dist-info/METADATA"),
    OddWheel("no-record", _omit("RECORD"), "has no demo-1.0.dist-info/RECORD"),
    OddWheel("future", _wheel(b"Wheel-Version: 2.0\nRoot-Is-Purelib: true\n"), "Wheel-Version 2.0"),
    OddWheel("no-version", _wheel(b"Root-Is-Purelib: true\n"), "no readable Wheel-Version"),
    OddWheel("odd-version", _wheel(b"Wheel-Version: one\n"), "no readable Wheel-Version"),
    OddWheel("wheel-latin1", _wheel(b"Wheel-Version: 1.0\nGenerator: \xe9\n"), "WHEEL'.*not UTF-8"),
    OddWheel("metadata-latin1", _metadata(b"Name: demo\nVersion: 1.0\nAuthor: \xe9\n"), "METADATA'.*not UTF-8"),
    OddWheel("other-name", _metadata(b"Name: more\nVersion: 1.0\n"), "'more' '1.0' in METADATA"),
    OddWheel("other-version", _metadata(b"Name: demo\nVersion: 2.0\n"), "'demo' '2.0' in METADATA"),
    OddWheel("no-name", _metadata(b"Version: 1.0\n"), "'' '1.0' in METADATA"),
    OddWheel("dist-info-name", lambda d: make_wheel(d, dist_info="more-1.0.dist-info"), "another distribution"),
    OddWheel("dist-info-version", lambda d: make_wheel(d, dist_info="demo-2.0.dist-info"), "another distribution"),
    OddWheel("dist-info-hyphen", lambda d: make_wheel(d, "a-b", dist_info="a-b-1.0.dist-info"), "another distribution"),
    OddWheel("no-dist-info", lambda d: make_wheel(d, dist_info="demo"), r"not one \.dist-info directory but 0"),
    OddWheel("file-name", _named("demo.whl"), "not named as a wheel"),
    OddWheel("file-name-other", _named("more-1.0-py3-none-any.whl"), "another distribution"),
]
