"""The small project that tox is run on: wheels on this disk, and a package whose build backend is in its own tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.parity.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["furnish"]

_PYPROJECT = """\
[build-system]
requires = ["tiny"]
build-backend = "backend"
backend-path = ["."]

[project]
name = "demo"
version = "1.0"
dependencies = ["needy"]
optional-dependencies.extra = ["other"]

[dependency-groups]
test = ["other"]
"""
_BACKEND = '''\
"""A build backend of nothing but the standard library (PEP 517, PEP 660)."""

import base64
import hashlib
import pathlib
import tarfile
import zipfile

NAME = "demo-1.0"
INFO = f"{NAME}.dist-info"
METADATA = """\\
Metadata-Version: 2.1
Name: demo
Version: 1.0
Requires-Dist: needy
Provides-Extra: extra
Requires-Dist: other; extra == "extra"
"""


def _hash(text):
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256={digest.rstrip(b'=').decode()}"


def _wheel(directory, files):
    name = f"{NAME}-py3-none-any.whl"
    files[f"{INFO}/METADATA"] = METADATA
    files[f"{INFO}/WHEEL"] = "Wheel-Version: 1.0\\nGenerator: demo\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files[f"{INFO}/entry_points.txt"] = "[console_scripts]\\ndemo = demo:main\\n"
    record = "".join(f"{path},{_hash(text)},\\n" for path, text in files.items()) + f"{INFO}/RECORD,,\\n"
    with zipfile.ZipFile(pathlib.Path(directory, name), "w") as archive:
        for path, text in [*files.items(), (f"{INFO}/RECORD", record)]:
            archive.writestr(zipfile.ZipInfo(path), text)
    return name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    import tiny  # a build requirement

    return _wheel(wheel_directory, {"demo.py": pathlib.Path("demo.py").read_text()})


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, {"demo.pth": str(pathlib.Path.cwd()) + "\\n"})


def build_sdist(sdist_directory, config_settings=None):
    name = f"{NAME}.tar.gz"
    pathlib.Path("PKG-INFO").write_text(METADATA)
    with tarfile.open(pathlib.Path(sdist_directory, name), "w:gz") as archive:
        for path in ("pyproject.toml", "backend.py", "demo.py", "PKG-INFO"):
            archive.add(path, f"{NAME}/{path}")
    pathlib.Path("PKG-INFO").unlink()
    return name
'''


def furnish(root: Path) -> None:
    """Write wheels (tiny 1.0, 2.0 and 3.0a1; needy, which requires ``tiny<2``; other) and the package into *root*."""
    wheels = root / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    for version in ("1.0", "2.0", "3.0a1"):
        write_wheel(wheels, "tiny", version, {"tiny.py": f"VERSION = {version!r}\n".encode()})
    write_wheel(wheels, "needy", "1.0", {"needy/__init__.py": b"import tiny\n"}, requires=("tiny<2",))
    write_wheel(wheels, "other", "1.0", {"other.py": b""})
    (root / "pyproject.toml").write_text(_PYPROJECT)
    (root / "backend.py").write_text(_BACKEND)
    (root / "demo.py").write_text("import needy\n\n\ndef main():\n    print('demo')\n")
    (root / "requirements.txt").write_text("-c constraints.txt\ntiny\n")
    (root / "constraints.txt").write_text("tiny<2\n")
