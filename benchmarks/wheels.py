"""Small pure-Python wheels for the growth scenario, the same bytes each time they are generated."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MODULES = 16  # with a data file and three metadata files: 20 files a wheel


def _module(name: str, number: int) -> str:
    functions = "\n\n".join(
        f"def step_{index}(value: int) -> str:\n"
        f'    """Step {index} of {name}.part{number}."""\n'
        f"    total = sum(part * {index + 1} for part in range(value))\n"
        f'    return f"{name}/{number}/{index}: {{total}}"'
        for index in range(12)
    )
    return f'"""Part {number} of {name}."""\n\n{functions}\n'


def write_wheel(directory: Path, name: str) -> Path:
    """Write ``name-1.0-py3-none-any.whl`` into ``directory`` unless it is there (binary distribution format)."""
    path = directory / f"{name}-1.0-py3-none-any.whl"
    if path.exists():
        return path
    info = f"{name}-1.0.dist-info"
    imports = "".join(f"from {name} import part{number} as part{number}\n" for number in range(0, MODULES - 1, 2))
    files = {f"{name}/__init__.py": imports}
    files |= {f"{name}/part{number}.py": _module(name, number) for number in range(MODULES - 1)}
    files[f"{name}/data.txt"] = f"{name}\n" * 50
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: benchmarks\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{file},sha256={_digest(text)},{len(text.encode())}\n" for file, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    partial = path.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, text in files.items():
            entry = zipfile.ZipInfo(file, (2016, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    return partial.replace(path)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode("ascii")
