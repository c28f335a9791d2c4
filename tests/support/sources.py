"""Which of the tests' own sources decide what a test does: its module, what that imports, its conftest files."""

from __future__ import annotations

import ast
import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["digest_of_sources"]

_ROOT: Final = Path(__file__).parents[2]


def digest_of_sources(module: Path) -> str:
    """Return the digest of the test module at *module* and of all below ``tests`` that it reaches by imports."""
    reached: dict[Path, None] = {}
    waiting = [module, *(above / "conftest.py" for above in module.parents if above.is_relative_to(_ROOT / "tests"))]
    while waiting:
        path = waiting.pop()
        if path not in reached and path.exists():
            reached[path] = None
            waiting.extend(_imports(path))
    digest = hashlib.sha256()
    for path in sorted(reached):
        digest.update(f"{path.relative_to(_ROOT)}\0{_read(path)}\0".encode())
    return digest.hexdigest()


@functools.cache
def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def _imports(path: Path) -> tuple[Path, ...]:
    return tuple(_files(ast.parse(_read(path))))


def _files(tree: ast.AST) -> Iterator[Path]:
    """Yield where the imported modules of ``tests`` would be; ``from package import name`` may mean a module, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("tests"):
            here = _ROOT.joinpath(*node.module.split("."))
            yield here.with_suffix(".py")
            yield from (here / f"{alias.name}.py" for alias in node.names)
