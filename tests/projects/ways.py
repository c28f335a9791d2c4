"""Ways in which a build can read something: by native code, through descriptors and links, by programs, ..."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.projects.cases import (
    TIME,
    TWO_IF,
    VERSION,
    file,
    lead,
    link,
    linked,
    make_program,
    ran,
    script,
    stated,
    there,
    variable,
    write,
)
from tests.projects.readers import CASES, Case, World
from tests.projects.tool import git

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SHARED", "WAYS"]

#: Files that are not in a world; the tests remove them.
SHARED: Final = (Path(f"/dev/shm/linkenv-{os.getpid()}"), Path(tempfile.gettempdir(), f"pip-{os.getpid()}"))


def _directory(world: World, *, there: bool) -> None:
    shutil.rmtree(world.outside)
    world.outside.mkdir()
    (world.outside / "a").mkdir() if there else write(world.outside / "a", "")


def _archive(world: World, value: str) -> None:
    with zipfile.ZipFile(world.outside / "lib.zip", "w") as archive:
        archive.writestr("outer.py", f"VALUE = {value!r}")


def _repository(path: Path, text: str) -> Path:
    """Commit *text*, and say that a remote branch is there."""
    path.mkdir(exist_ok=True)
    (path / "VERSION").write_text(f"{text}, another size\n" if text == "two" else text)
    if not (path / ".git").exists():
        git(path, "init", "-q")
    git(path, "add", "VERSION")
    git(path, "commit", "-q", "-m", text)
    return path


def _remote_branch(world: World, text: str) -> None:
    _repository(world.project, text)
    git(world.project, "update-ref", "refs/remotes/origin/main", "HEAD")
    if text == "two":
        git(world.project, "reset", "-q", "--hard", "HEAD~1")


_COUNTER: Final = """
os.makedirs(OUTSIDE + '/cache', exist_ok=True)
try:
    with open(OUTSIDE + '/cache/n') as stream: n = int(stream.read())
except FileNotFoundError: n = 0
with open(OUTSIDE + '/cache/n', 'w') as stream: stream.write(str(n + 1))
return 'two' if n else 'one'
"""
_COMPILED: Final = "Path('../x.c').write_text('#include <quux.h>\\nQUUX\\n')\n" + ran("['cc', '-E', '-P', {}'../x.c']")
_HEADER: Final = "#define QUUX {}\n"
_FIRST: Final = "sys.path.insert(0, OUTSIDE + '/lib')\n"
_TRIED: Final = _FIRST + "try:\n    import outer\nexcept ImportError: return 'one'\nreturn 'two'"
_NOW: Final = f"{TIME + 1}"

#: Name of a way -> it.
WAYS: Final[Mapping[str, Case]] = {
    **CASES,
    "getenvb": variable("return os.getenvb(b'ACME_ARCH_LIST').decode()"),
    "getenv of C": variable(
        "import ctypes\nfunction = ctypes.CDLL(None).getenv\nfunction.restype = ctypes.c_char_p\n"
        "return function(b'ACME_ARCH_LIST').decode()"
    ),
    "variable of the kernel": variable(
        "text = open('/proc/self/environ').read().split(chr(0))\n"
        "return [line for line in text if line.startswith('ACME_')][0].partition('=')[2]"
    ),
    "variable in a text": variable("return os.path.expandvars('$ACME_ARCH_LIST')"),
    "variable of env": variable(
        "return [line for line in subprocess.run(['env'], capture_output=True, text=True).stdout.splitlines()"
        " if line.startswith('ACME_')][0].partition('=')[2]"
    ),
    "variable of a thread": variable(
        "import threading\nfound = []\n"
        "thread = threading.Thread(target=lambda: found.append(os.environ['ACME_ARCH_LIST']))\n"
        "thread.start(); thread.join()\nreturn found[0]"
    ),
    "locale": Case(
        "import locale; locale.setlocale(locale.LC_ALL, '')\n"
        + TWO_IF.format("'C.UTF-8' in str(locale.setlocale(locale.LC_CTYPE))"),
        lambda world: world.environ.update(LC_ALL="C"),
        lambda world: world.environ.update(LC_ALL="C.UTF-8"),
    ),
    "file of C": file(
        "import ctypes\nlibrary = ctypes.CDLL(None)\n"
        f"return os.read(library.open(({VERSION}).encode(), 0), 3).decode()",
        kept=False,
    ),
    "native module": file(
        "import importlib.util\n"
        "specs = map(importlib.util.find_spec, ['_csv', '_lsprof', '_testcapi', '_hashlib'])  # some are built in\n"
        "found = next(spec for spec in specs if spec and spec.has_location)\n"
        "path = shutil.copy(found.origin, os.path.dirname(OUTSIDE))\n"
        "spec = importlib.util.spec_from_file_location(found.name, path)\n"
        "spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        f"return open({VERSION}).read()",
        kept=False,
    ),
    "mapped file": file(
        f"import mmap\nwith open({VERSION}, 'rb') as stream:\n"
        "    return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)[:].decode()"
    ),
    "file in a directory's descriptor": file(
        "place = os.open(OUTSIDE, os.O_RDONLY)\n"
        "return os.read(os.open('VERSION', os.O_RDONLY, dir_fd=place), 3).decode()"
    ),
    "file of another process": file(
        f"reader, writer = os.pipe()\nif not os.fork():\n"
        f"    os.write(writer, open({VERSION}, 'rb').read()); os._exit(0)\n"
        "return os.read(reader, 3).decode()"
    ),
    "file of a pool": file(
        "import multiprocessing\nwith multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "    return pool.apply(Path.read_text, [Path(OUTSIDE, 'VERSION')])"
    ),
    "file through the kernel": file("return open('/proc/self/root' + OUTSIDE + '/VERSION').read()", kept=False),
    "file above through the kernel": file(
        "return open('/proc/self/cwd/../VERSION').read()", "around/VERSION", kept=False
    ),
    "file in shared memory": file(f"return open({str(SHARED[0])!r}).read()", SHARED[0]),
    "file like one of pip's": file(f"return open({str(SHARED[1])!r}).read()", SHARED[1]),
    "file where temporary ones lie": Case(
        "import tempfile\nreturn open(tempfile.gettempdir() + '/VERSION').read()",
        lambda world: lead(world, "TMPDIR", link(world, "one")),
        lambda world: lead(world, "TMPDIR", world.outside / "two"),
    ),
    "lines": file(f"import linecache\nreturn linecache.getline({VERSION}, 1).strip()"),
    "settings": Case(
        "import configparser\nparser = configparser.ConfigParser()\n"
        "parser.read([OUTSIDE + '/a.cfg', OUTSIDE + '/b.cfg'])\nreturn parser['x']['y']",
        lambda world: write(world.outside / "a.cfg", "[x]\ny=one\n"),
        lambda world: write(world.outside / "b.cfg", "[x]\ny=two\n"),
    ),
    "what an earlier build has left": Case(
        _COUNTER,
        lambda world: shutil.rmtree(world.outside / "cache", ignore_errors=True),
        lambda world: None,
        kept=False,
    ),
    "attributes of a file": Case(
        "try: return os.getxattr(OUTSIDE + '/a', 'user.value').decode()\nexcept OSError: return 'one'",
        lambda world: write(world.outside / "a", ""),
        lambda world: None,
        kept=False,
    ),
    "size": stated(
        TWO_IF.format("os.path.getsize(OUTSIDE + '/a') == 2"), lambda path: None, lambda path: path.write_text("xy")
    ),
    "time": stated(
        TWO_IF.format(f"os.path.getmtime(OUTSIDE + '/a') == {_NOW}"),
        lambda path: None,
        lambda path: os.utime(path, (TIME + 1, TIME + 1)),
    ),
    "time of an open file": stated(
        "with open(OUTSIDE + '/a') as stream:\n    " + TWO_IF.format(f"os.fstat(stream.fileno()).st_mtime == {_NOW}"),
        lambda path: None,
        lambda path: os.utime(path, (TIME + 1, TIME + 1)),
    ),
    "size in a directory's descriptor": stated(
        "place = os.open(OUTSIDE, os.O_RDONLY)\n" + TWO_IF.format("os.stat('a', dir_fd=place).st_size == 2"),
        lambda path: None,
        lambda path: path.write_text("xy"),
    ),
    "mode": stated(
        TWO_IF.format("os.stat(OUTSIDE + '/a').st_mode & 0o77"),
        lambda path: path.chmod(0o600),
        lambda path: path.chmod(0o644),
    ),
    "executable": stated(
        TWO_IF.format("os.access(OUTSIDE + '/a', os.X_OK)"),
        lambda path: path.chmod(0o644),
        lambda path: path.chmod(0o755),
    ),
    "sizes in a directory": stated(
        TWO_IF.format("[entry.stat().st_size for entry in os.scandir(OUTSIDE)] == [2]"),
        lambda path: None,
        lambda path: path.write_text("xy"),
    ),
    "kinds in a directory": Case(
        TWO_IF.format("[entry.is_dir() for entry in os.scandir(OUTSIDE)] == [True]"),
        lambda world: _directory(world, there=False),
        lambda world: _directory(world, there=True),
    ),
    "names in a descriptor": there(
        "try: place = os.open(OUTSIDE + '/sub', os.O_RDONLY)\nexcept OSError: return 'one'\n"
        + TWO_IF.format("os.listdir(place)"),
        "outside/sub/here",
    ),
    "walk by descriptors": there(
        TWO_IF.format("[name for *_, names, _ in os.fwalk(OUTSIDE) for name in names]"), "outside/sub/here"
    ),
    "pattern in what is not there": there(
        "import glob\n" + TWO_IF.format("glob.glob(OUTSIDE + '/sub/*.h')"), "outside/sub/a.h"
    ),
    "pattern at any depth": there(TWO_IF.format("list(Path(OUTSIDE).rglob('*.h'))"), "outside/sub/a.h"),
    "target of a link": linked("return os.readlink(OUTSIDE + '/link')"),
    "where a link leads": linked("return os.path.basename(os.path.realpath(OUTSIDE + '/link'))"),
    "file through a link": linked("return open(OUTSIDE + '/link/VERSION').read()"),
    "what is left out by name": there(TWO_IF.format("os.path.exists('.tox/two')"), "around/project/.tox/two"),
    "module with bytecode elsewhere": Case(
        "if len(sys.argv) == 1:\n"
        "    subprocess.run([sys.executable, sys.argv[0], 'first'], capture_output=True)\n"
        + _FIRST
        + "import outer\nreturn outer.VALUE",
        lambda world: (
            lead(world, "PYTHONPYCACHEPREFIX", world.base / "cache"),
            write(world.outside / "lib" / "outer.py", "VALUE = 'one'"),
        ),
        lambda world: write(world.outside / "lib" / "outer.py", "VALUE = 'two'  # longer"),
    ),
    "module that appears": there(_TRIED, "outside/lib/outer.py"),
    "module that appears earlier": Case(
        "sys.path[:0] = [OUTSIDE + '/lib', OUTSIDE + '/later']\nimport outer\nreturn outer.VALUE",
        lambda world: write(world.outside / "later" / "outer.py", "VALUE = 'one'"),
        lambda world: write(world.outside / "lib" / "outer.py", "VALUE = 'two'"),
    ),
    "module in an archive": Case(
        "sys.path.insert(0, OUTSIDE + '/lib.zip')\nimport outer\nreturn outer.VALUE",
        lambda world: _archive(world, "one"),
        lambda world: _archive(world, "two"),
    ),
    "file of a shell": file("return os.popen('cat ' + OUTSIDE + '/VERSION 2>/dev/null').read().strip()"),
    "file of a pipe": file("return os.popen('cat ' + OUTSIDE + '/VERSION | tr x y').read().strip()"),
    "file that a shell opens": file(
        "return os.popen('read X < ' + OUTSIDE + '/VERSION; echo $X').read().strip()", kept=False
    ),
    "file at home of a shell": file("return os.popen('cat ~/VERSION').read()", "home/VERSION", kept=False),
    "file where a program runs": file(ran("['cat', 'VERSION']", ", cwd=OUTSIDE")),
    "file behind env": file(ran("['env', 'A=b', 'cat', 'VERSION']", ", cwd=OUTSIDE")),
    "file that a program is told of": file(
        ran("['xargs', 'cat']", f", input={VERSION}"),
        kept=False,
    ),
    "file of a program of nobody": script("quux-config", kept=False),
    "file that a known script names": script("gdal-config"),
    "file of a compiler that is a script": Case(
        ran("['cc']"),
        lambda world: (world.program("cc", f"cat {world.outside}/VERSION"), write(world.outside / "VERSION", "one")),
        lambda world: write(world.outside / "VERSION", "two"),
        kept=False,
    ),
    "file of a script": Case(
        ran("['sh', 'run.sh']"),
        lambda world: (
            write(world.project / "run.sh", f"cat {world.outside}/VERSION"),
            write(world.outside / "VERSION", "one"),
        ),
        lambda world: write(world.outside / "VERSION", "two"),
        kept=False,
    ),
    "file of another Python": file(
        ran(f"[os.path.realpath(sys.executable), '-c', 'print(open(%r).read())' % ({VERSION})]"), kept=False
    ),
    "program on a PATH of its own": Case(
        "path = OUTSIDE + '/a:' + OUTSIDE + '/b:/bin:/usr/bin'\n" + ran("['pg_config']", ", env={'PATH': path}"),
        lambda world: make_program(world.outside / "b" / "pg_config", "echo one"),
        lambda world: make_program(world.outside / "a" / "pg_config", "echo two"),
    ),
    "program that is found": Case(
        "path = subprocess.run(['which', 'quux'], capture_output=True, text=True).stdout\n" + TWO_IF.format("path"),
        lambda world: None,
        lambda world: world.program("quux", ""),
    ),
    "program that is spawned": Case(
        "os.waitpid(os.posix_spawnp('sh', ['sh', '-c', 'quux-config > ../quux'], os.environ), 0)\n"
        "return open('../quux').read().strip()",
        lambda world: world.program("quux-config", "echo one"),
        lambda world: world.program("quux-config", "echo two"),
        kept=False,
    ),
    "header that is named": file(_COMPILED.format("'-I', OUTSIDE, "), "outside/quux.h", text=_HEADER),
    "header that a variable leads to": Case(
        _COMPILED.format(""),
        lambda world: (
            lead(world, "CPATH", world.outside),
            write(world.outside / "quux.h", _HEADER.format("one")),
        ),
        lambda world: write(world.outside / "quux.h", _HEADER.format("two")),
    ),
    "another repository": Case(
        ran("['git', '-C', OUTSIDE, 'log', '-1', '--format=%s']"),
        lambda world: _repository(world.outside, "one"),
        lambda world: _repository(world.outside, "two"),
    ),
    "a repository that a variable names": Case(
        ran("['git', 'log', '-1', '--format=%s']"),
        lambda world: (
            _repository(world.outside, "one"),
            lead(world, "GIT_DIR", world.outside / ".git"),
        ),
        lambda world: _repository(world.outside, "two"),
        kept=False,
    ),
    "a branch of another repository": Case(
        ran("['git', 'log', '-1', '--format=%s', 'origin/main']"),
        lambda world: _remote_branch(world, "one"),
        lambda world: _remote_branch(world, "two"),
    ),
    "another machine": Case(
        "import socket\nsocket.socket().connect_ex(('127.0.0.1', 9))\nreturn open(OUTSIDE + '/VERSION').read()",
        lambda world: write(world.outside / "VERSION", "one"),
        lambda world: write(world.outside / "VERSION", "two"),
        kept=False,
    ),
    "another process": Case(
        "import socket\nsocket.socket(socket.AF_UNIX).connect_ex('/run/linkenv-nobody')\n"
        "return open(OUTSIDE + '/VERSION').read()",
        lambda world: write(world.outside / "VERSION", "one"),
        lambda world: write(world.outside / "VERSION", "two"),
        kept=False,
    ),
}
