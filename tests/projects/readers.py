"""What builds read of the world around them, and how that changes: each case is one that has to be noticed."""

from __future__ import annotations

import os
import subprocess
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.support.backend import IN_TREE, backend_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["CASES", "Case", "World"]

#: A backend that puts into its wheel what it has read.
_BACKEND: Final = """

    import shutil
    import subprocess
    import sys
    from pathlib import Path

    OUTSIDE = {outside!r}

    def build_wheel(directory, config_settings=None, metadata_directory=None):
        with open({log!r}, "a") as stream:
            print("wheel", file=stream)
        return write_wheel(directory, "demo", "1.0", {{"demo.py": "VALUE = %r\\n" % read()}})

    def read():
        {text}
"""


@dataclass
class World:
    """A project, and what lies around it.

    Attributes:
        base: a directory for all of it; the project is in it.
        environ: variables of the session.
    """

    base: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in (self.project, self.outside, self.programs, self.home):
            path.mkdir(parents=True)
        self.environ = {**self.environ, "HOME": str(self.home)}

    @property
    def project(self) -> Path:
        return self.base / "around" / "project"

    @property
    def outside(self) -> Path:
        return self.base / "outside"

    @property
    def programs(self) -> Path:
        """A directory on PATH."""
        return self.base / "programs"

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def builds(self) -> int:
        """How many builds there were since this was last asked."""
        log = self.base / "log"
        try:
            return len(log.read_text().splitlines())
        except FileNotFoundError:
            return 0
        finally:
            log.unlink(missing_ok=True)

    def variables(self, path: str) -> dict[str, str]:
        """Return the session's variables, for which *path* is the PATH of others."""
        return {**self.environ, "PATH": f"{self.programs}{os.pathsep}{path}"}

    def program(self, name: str, text: str) -> Path:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def write(self, case: Case) -> None:
        """Write the project whose backend reads what *case* does."""
        text = "\n".join(case.read.strip().splitlines()).replace("\n", "\n        ")
        hooks = _BACKEND.format(outside=str(self.outside), log=str(self.base / "log"), text=text)
        (self.project / "pyproject.toml").write_text(IN_TREE)
        (self.project / "backend.py").write_text(backend_text(hooks))

    def sdist(self) -> Path:
        """Return an sdist of the project."""
        archive = self.base / "links" / "demo-1.0.tar.gz"
        archive.parent.mkdir(exist_ok=True)
        information = self.base / "PKG-INFO"
        information.write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        with tarfile.open(archive, "w:gz") as writer:
            writer.add(self.project, "demo-1.0")
            writer.add(information, "demo-1.0/PKG-INFO")
        return archive


@dataclass(frozen=True)
class Case:
    """Something that a build reads.

    Attributes:
        read: the body of a function that returns it.
        one, two: make the world so that it is ``one`` or ``two``.
        inside: whether it lies in the project, so that an sdist cannot be built of it without it.
        kept: whether it can be told what is read, so that the build is kept as long as that is the same.
    """

    read: str
    one: Callable[[World], object]
    two: Callable[[World], object]
    inside: bool = False
    kept: bool = True


def _variable(read: str, name: str = "ACME_ARCH_LIST", *, absent: bool = False, kept: bool = True) -> Case:
    def one(world: World) -> None:
        if absent:
            world.environ.pop(name, None)
        else:
            world.environ[name] = "one"

    return Case(read, one, lambda world: world.environ.update({name: "two"}), kept=kept)


def _file(read: str, place: Callable[[World], Path]) -> Case:
    """The size and the time stay the same."""

    def write(world: World, text: str) -> None:
        path = place(world)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (1_700_000_000, 1_700_000_000))

    return Case(read, lambda world: write(world, "one"), lambda world: write(world, "two"))


def _there(read: str, place: Callable[[World], Path]) -> Case:
    return Case(read, lambda world: place(world).unlink(missing_ok=True), lambda world: place(world).write_text(""))


def _program(read: str, name: str = "quux-config") -> Case:
    """A program that nobody knows, so that it may read anything; or one that says how a library was built."""
    return Case(
        read.replace("quux-config", name),
        lambda world: world.program(name, "echo one"),
        lambda world: world.program(name, "echo two"),
        kept=name != "quux-config",
    )


def _git(world: World, *patterns: str) -> None:
    ignore = world.home / "ignored"
    ignore.write_text("".join(f"{pattern}\n" for pattern in patterns))
    more = world.home / "more.cfg"
    more.write_text(f"[core]\nexcludesFile = {ignore}\n")
    (world.home / ".gitconfig").write_text("[include]\npath = more.cfg\n")
    if not (world.project / ".git").exists():
        subprocess.run(["git", "init", "-q"], cwd=world.project, check=True)


def _ignored(read: str, name: str) -> Case:
    """A file in the project which is no part of its fingerprint."""

    def write(world: World, text: str) -> None:
        (world.project / name).parent.mkdir(exist_ok=True)
        (world.project / name).write_text(text)

    return Case(read, lambda world: write(world, "one"), lambda world: write(world, "two"), inside=True)


_TWO_IF: Final = "return 'two' if {} else 'one'"

#: Name of a case -> it.
CASES: Final[Mapping[str, Case]] = {
    "variable": _variable("return os.environ['ACME_ARCH_LIST']"),
    "variable with getenv": _variable("return os.getenv('ACME_ARCH_LIST', 'one')", absent=True),
    "variable that is there": _variable(_TWO_IF.format("'ACME_ARCH_LIST' in os.environ"), absent=True),
    "variable as bytes": _variable("return os.environb[b'ACME_ARCH_LIST'].decode()"),
    "variable of a copy": _variable("return dict(os.environ)['ACME_ARCH_LIST']"),
    "variable among all": _variable(
        "return [value for name, value in os.environ.items() if name.startswith('ACME_')][0]"
    ),
    "variable of a child": _variable(
        "code = 'import os; print(os.environ[\"ACME_ARCH_LIST\"])'\n"
        "return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout.strip()"
    ),
    "variable of a child without site": _variable(
        "code = 'import os; print(os.environ[\"ACME_ARCH_LIST\"])'\n"
        "return subprocess.run([sys.executable, '-S', '-c', code], capture_output=True, text=True).stdout.strip()",
        kept=False,
    ),
    "variable of a shell": _variable("return os.popen('echo $ACME_ARCH_LIST').read().strip()"),
    "variable of a program": _variable(
        "return subprocess.run(['printenv', 'ACME_ARCH_LIST'], capture_output=True, text=True).stdout.strip()"
    ),
    "variable that is said to be harmless": _variable("return os.environ['OLDPWD']", "OLDPWD"),
    "program": _program("return subprocess.run(['quux-config'], capture_output=True, text=True).stdout.strip()"),
    "known program": _program(
        "return subprocess.run(['quux-config'], capture_output=True, text=True).stdout.strip()", "pg_config"
    ),
    "known program of a shell": _program(
        "return os.popen('quux-config --libs 2>/dev/null').read().strip()", "gdal-config"
    ),
    "program of a shell": _program("return os.popen('quux-config --libs').read().strip()"),
    "program of os.system": _program("os.system('quux-config > ../quux'); return open('../quux').read().strip()"),
    "program of a script": _program(
        "Path(OUTSIDE, 'run.sh').write_text('quux-config')\n"
        "return subprocess.run(['sh', OUTSIDE + '/run.sh'], capture_output=True, text=True).stdout.strip()"
    ),
    "program that is there": _there(
        "path = shutil.which('quux-config', mode=os.F_OK)\nreturn 'two' if path else 'one'",
        lambda world: world.programs / "quux-config",
    ),
    "PATH": Case(
        "return os.environ['PATH'].split(os.pathsep)[-1]",
        lambda world: world.environ.update(PATH="one"),
        lambda world: world.environ.update(PATH="two"),
    ),
    "file": _file("return open(OUTSIDE + '/VERSION').read()", lambda world: world.outside / "VERSION"),
    "file of pathlib": _file("return Path(OUTSIDE, 'VERSION').read_text()", lambda world: world.outside / "VERSION"),
    "file of os.open": _file(
        "return os.read(os.open(OUTSIDE + '/VERSION', os.O_RDONLY), 3).decode()",
        lambda world: world.outside / "VERSION",
    ),
    "file at home": _file("return open(os.path.expanduser('~/VERSION')).read()", lambda world: world.home / "VERSION"),
    "file above": _file(
        "return open(os.path.dirname(os.getcwd()) + '/VERSION').read()",
        lambda world: world.project.parent / "VERSION",
    ),
    "file above by pathlib": _file(
        "return (Path().resolve().parent / 'VERSION').read_text()", lambda world: world.project.parent / "VERSION"
    ),
    "file above by split": _file(
        "return open(os.path.join(os.path.split(os.getcwd())[0], 'VERSION')).read()",
        lambda world: world.project.parent / "VERSION",
    ),
    "file that a copy is made of": _file(
        "import tempfile\nwith tempfile.TemporaryDirectory() as place:\n"
        "    return open(shutil.copy(OUTSIDE + '/VERSION', place)).read()",
        lambda world: world.outside / "VERSION",
    ),
    "file of a program": _file(
        "return subprocess.run(['cat', OUTSIDE + '/VERSION'], capture_output=True, text=True).stdout",
        lambda world: world.outside / "VERSION",
    ),
    "file in a directory for a program": _file(
        "return subprocess.run(['grep', '-rho', '[a-z]*', OUTSIDE], capture_output=True, text=True).stdout.strip()",
        lambda world: world.outside / "include" / "quux.h",
    ),
    "module": Case(
        "sys.path.insert(0, OUTSIDE)\nimport outer\nreturn outer.VALUE",
        lambda world: (world.outside / "outer.py").write_text("VALUE = 'one'"),
        lambda world: (world.outside / "outer.py").write_text("VALUE = 'two'  # longer"),
    ),
    "file that is there": _there(
        _TWO_IF.format("os.path.exists(OUTSIDE + '/here')"), lambda world: world.outside / "here"
    ),
    "file that is there by pathlib": _there(
        _TWO_IF.format("Path(OUTSIDE, 'here').is_file()"), lambda world: world.outside / "here"
    ),
    "names in a directory": _there(_TWO_IF.format("os.listdir(OUTSIDE)"), lambda world: world.outside / "here"),
    "names by a pattern": _there(
        _TWO_IF.format("list(Path(OUTSIDE).glob('h*'))"), lambda world: world.outside / "here"
    ),
    "file that nobody looks at": _ignored("return open('.tox/VERSION').read()", ".tox/VERSION"),
    "archive in dist": _ignored("return open('dist/data.zip').read()", "dist/data.zip"),
    "what git ignores": Case(
        "command = ['git', 'check-ignore', 'backend.py']\n"
        "return 'two' if subprocess.run(command, capture_output=True).stdout else 'one'",
        lambda world: _git(world),
        lambda world: _git(world, "*.py"),
        inside=True,
    ),
}
