"""The small project that tox is run on: wheels on this disk, and a package whose build backend is in its own tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.parity.wheels import write_wheel
from tests.support.backend import backend_text

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
_BACKEND = '''

    import pathlib, tarfile

    MORE = """\\
    Requires-Dist: needy
    Provides-Extra: extra
    Requires-Dist: other; extra == "extra"
    """
    REST = {"more": MORE, "entry_points": "[console_scripts]\\ndemo = demo:main\\n", "dated": False}

    def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
        import tiny  # a build requirement

        return write_wheel(wheel_directory, "demo", "1.0", {"demo.py": pathlib.Path("demo.py").read_text()}, **REST)

    def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
        return write_wheel(wheel_directory, "demo", "1.0", {"demo.pth": str(pathlib.Path.cwd()) + "\\n"}, **REST)

    def build_sdist(sdist_directory, config_settings=None):
        name = "demo-1.0.tar.gz"
        pathlib.Path("PKG-INFO").write_text("Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n" + MORE)
        with tarfile.open(pathlib.Path(sdist_directory, name), "w:gz") as archive:
            for path in ("pyproject.toml", "backend.py", "demo.py", "PKG-INFO"):
                archive.add(path, f"demo-1.0/{path}")
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
    (root / "backend.py").write_text(backend_text(_BACKEND))
    (root / "demo.py").write_text("import needy\n\n\ndef main():\n    print('demo')\n")
    (root / "requirements.txt").write_text("-c constraints.txt\ntiny\n")
    (root / "constraints.txt").write_text("tiny<2\n")
