"""What cases of reading are made of."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final

from tests.projects.readers import Case, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "TIME", "TWO_IF", "VERSION", "file", "lead", "link", "linked", "make_program", "ran", "script",
    "stated", "there", "variable", "write",
]  # fmt: skip

VERSION: Final = "OUTSIDE + '/VERSION'"
TIME: Final = 1_700_000_000
TWO_IF: Final = "return 'two' if {} else 'one'"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (TIME, TIME))
    return path


def lead(world: World, name: str, value: Path) -> Path:
    world.environ[name] = str(value)
    return value


def make_program(path: Path, text: str) -> None:
    write(path, f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def variable(read: str, *, kept: bool = True) -> Case:
    one, two = ({"ACME_ARCH_LIST": value} for value in ("one", "two"))
    return Case(read, lambda world: world.environ.update(one), lambda world: world.environ.update(two), kept=kept)


def script(name: str, *, kept: bool = True) -> Case:
    """Run the shell script *name* on PATH, which shows a file outside of the project."""
    return Case(
        ran(f"['{name}']"),
        lambda world: (
            world.program(name, f"cat {world.outside}/VERSION"),
            write(world.outside / "VERSION", "one"),
        ),
        lambda world: write(world.outside / "VERSION", "two"),
        kept=kept,
    )


def file(read: str, place: str | Path = "outside/VERSION", *, kept: bool = True, text: str = "{}") -> Case:
    """The size and the time stay the same."""
    one, two = text.format("one"), text.format("two")
    return Case(
        read, lambda world: write(world.base / place, one), lambda world: write(world.base / place, two), kept=kept
    )


def there(read: str, place: str, *, kept: bool = True) -> Case:
    """A file that appears."""

    def one(world: World) -> None:
        shutil.rmtree((world.base / place).parent, ignore_errors=True)

    return Case(read, one, lambda world: write(world.base / place, ""), kept=kept)


def link(world: World, target: str) -> Path:
    for name in ("one", "two"):
        write(world.outside / name / "VERSION", name)
    (world.outside / "link").unlink(missing_ok=True)
    (world.outside / "link").symlink_to(target)
    return world.outside / target


def linked(read: str) -> Case:
    return Case(read, lambda world: link(world, "one"), lambda world: link(world, "two"))


def stated(read: str, one: Callable[[Path], object], two: Callable[[Path], object]) -> Case:
    """What can be seen of a file by looking at it."""

    def before(world: World) -> None:
        write(world.outside / "a", "x")
        one(world.outside / "a")

    return Case(read, before, lambda world: two(world.outside / "a"))


def ran(words: str, more: str = "") -> str:
    return f"return subprocess.run({words}, capture_output=True, text=True{more}).stdout.strip()"
