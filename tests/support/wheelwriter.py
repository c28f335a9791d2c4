"""Writes wheels with nothing but the standard library: the greater part of the build backends that tests make.

Its text is copied into them, and runs on every target.
"""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile

__all__ = ["write_info", "write_wheel"]


def write_info(directory: str, name: str, version: str, *, more: str = "", entry_points: str = "") -> str:
    """Write the metadata, as ``prepare_metadata_for_build_wheel`` is to, and return the name of its directory.

    Args:
        more: further lines of METADATA.
        entry_points: all of entry_points.txt.
    """
    info = f"{name}-{version}.dist-info"
    os.mkdir(os.path.join(directory, info))
    for path, text in _info_files(name, version, more, entry_points).items():
        with open(os.path.join(directory, path), "w", encoding="utf-8") as stream:
            stream.write(text)
    return info


def write_wheel(
    directory: str,
    name: str,
    version: str,
    files: dict[str, str | bytes],
    *,
    more: str = "",
    entry_points: str = "",
    dated: bool = True,
) -> str:
    """Write a wheel of *files* (path -> content), as ``build_wheel`` is to, and return its name.

    Args:
        more: further lines of METADATA.
        entry_points: all of entry_points.txt.
        dated: whether the members bear the time of the build, so that no two builds give the same wheel.
    """
    wheel = f"{name}-{version}-py3-none-any.whl"
    record = f"{name}-{version}.dist-info/RECORD"
    rows = ""
    with zipfile.ZipFile(os.path.join(directory, wheel), "w") as archive:
        for path, text in {**files, **_info_files(name, version, more, entry_points)}.items():
            content = text if isinstance(text, bytes) else text.encode()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rows += f"{path},sha256={digest},{len(content)}\n"
            archive.writestr(path if dated else zipfile.ZipInfo(path), content)
        archive.writestr(record if dated else zipfile.ZipInfo(record), f"{rows}{record},,\n")
    return wheel


def _info_files(name: str, version: str, more: str, entry_points: str) -> dict[str, str]:
    info = f"{name}-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    return {**files, f"{info}/entry_points.txt": entry_points} if entry_points else files
