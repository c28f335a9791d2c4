"""Ways of reading that go past what most of Python's code goes through, and those of shells and compilers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.projects.cases import TWO_IF, VERSION, file, lead, linked, ran, there, variable, write
from tests.projects.readers import Case, World

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MORE_WAYS", "SHARED_MEMORY"]

#: A file that is not in a world; the tests remove it.
SHARED_MEMORY: Final = Path(f"/dev/shm/linkenv-memory-{os.getpid()}")
_SHELL: Final = f"['sh', '-c', 'cat ' + {VERSION} + ' > ../quux']"
_SHOWN: Final = "\nreturn open('../quux').read()"
_HEADER: Final = "#define QUUX {}\n"
_UP: Final = "'../../../outside/VERSION'"
_FORKED: Final = f"""
import _posixsubprocess
reader, writer = os.pipe()
words = [os.fsencode(word) for word in {_SHELL}]
first = (words, [b'/bin/sh'], True, (writer,), None, None, -1, -1, -1, -1, -1, -1, reader, writer, False, False)
none = (None, None, None)
for last in ((None,), (*none, -1, None), (-1, *none, -1, None), (-1, *none, -1, None, False)):
    try:
        os.waitpid(_posixsubprocess.fork_exec(*first, *last), 0)
        break
    except TypeError: pass
"""
_SPAWNED: Final = (
    f"from multiprocessing.util import spawnv_passfds\nspawned = spawnv_passfds(b'/bin/sh', {_SHELL}, [])\n"
)
_APART: Final = f"""
try: import _xxsubinterpreters as interpreters
except ImportError: import _interpreters as interpreters
other = interpreters.create()
interpreters.run_string(other, "open('../quux', 'w').write(open(%r).read())" % ({VERSION}))
interpreters.destroy(other)
"""


def _nothing(world: World) -> None:
    pass


def _unseen(read: str) -> Case:
    """Something of which it cannot be told when it changes."""
    return Case(f"{read}\nreturn 'one'", _nothing, _nothing, kept=False)


def _shell(text: str, kind: str = "{}") -> Case:
    """A shell that does more than to run programs; *text* is the middle of a word for it."""
    return file(ran(text, ", shell=True"), kept=False, text=kind)


def _compiled(words: str, before: str = "", *, kept: bool = True) -> Case:
    return file(f"{before}\n{ran(words)}", "outside/quux.h", kept=kept, text=_HEADER)


def _source(path: str, text: str) -> str:
    return f"Path({path}).write_text({text})"


_ABSOLUTE: Final = _source("'../x.c'", "'#include \"' + OUTSIDE + '/quux.h\"\\nQUUX\\n'")
_PLAIN: Final = "'#include \"quux.h\"\\nQUUX\\n'"


def _beside(world: World, text: str) -> None:
    write(world.project / "x.c", '#include "../../outside/quux.h"\nQUUX\n')
    write(world.outside / "quux.h", _HEADER.format(text))


def _profile(world: World, text: str) -> None:
    lead(world, "BASH_ENV", write(world.outside / "rc", f"V={text}"))


def _database(world: World) -> None:
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('create table if not exists t (x)')"
    subprocess.run([sys.executable, "-c", code, str(world.outside / "db")], check=True)


def _pipe(world: World) -> None:
    if not (world.outside / "pipe").exists():
        os.mkfifo(world.outside / "pipe")


#: Name of a way -> it.
MORE_WAYS: Final[Mapping[str, Case]] = {
    "variable of posix": variable("import posix\nreturn posix.environ[b'ACME_ARCH_LIST'].decode()"),
    "variable from posix": variable("from posix import environ\nreturn environ[b'ACME_ARCH_LIST'].decode()"),
    "variable in the data of environ": variable("return os.environ._data[b'ACME_ARCH_LIST'].decode()"),
    "variable of a copied environ": variable("import copy\nreturn copy.copy(os.environ)['ACME_ARCH_LIST']"),
    "stat of posix": there(
        "import posix\ntry: posix.stat(OUTSIDE + '/sub/here')\nexcept OSError: return 'one'\nreturn 'two'",
        "outside/sub/here",
    ),
    "target of a link of posix": linked("import posix\nreturn posix.readlink(OUTSIDE + '/link')"),
    "program of multiprocessing": file(_SPAWNED + "os.waitpid(spawned, 0)" + _SHOWN, kept=False),
    "program of multiprocessing, subprocess loaded": file(
        "import subprocess\n" + _SPAWNED + "os.waitpid(spawned, 0)" + _SHOWN, kept=False
    ),
    "program of fork_exec": file(_FORKED + _SHOWN, kept=False),
    "program of a terminal": file(f"import pty\npty.spawn({_SHELL}){_SHOWN}", kept=False),
    "program of spawnv": file(f"os.spawnv(os.P_WAIT, '/bin/sh', {_SHELL}){_SHOWN}", kept=False),
    "program of asyncio": file(
        f"import asyncio\nasync def run():\n    await (await asyncio.create_subprocess_exec(*{_SHELL})).wait()\n"
        f"asyncio.run(run()){_SHOWN}",
        kept=False,
    ),
    "another database": Case(
        "import sqlite3\nconnection = sqlite3.connect(':memory:')\n"
        "connection.execute('attach database ? as o', (OUTSIDE + '/db',))\nreturn 'one'",
        _database,
        _nothing,
        kept=False,
    ),
    "memory of another process": file(
        "from multiprocessing import resource_tracker, shared_memory\nresource_tracker.register = lambda *a: None\n"
        f"memory = shared_memory.SharedMemory(name={SHARED_MEMORY.name!r})\n"
        "return bytes(memory.buf[:3]).decode()",
        SHARED_MEMORY,
        kept=False,
    ),
    "pipe": Case(
        "import threading\nwriter = threading.Thread(target=lambda: Path(OUTSIDE, 'pipe').write_text('one'))\n"
        "writer.start()\nreturn open(OUTSIDE + '/pipe').read()",
        _pipe,
        _nothing,
        kept=False,
    ),
    "code apart": file(_APART + _SHOWN, kept=False),
    "what a socket is told": _unseen("import socket\nsocket.socket().bind(('127.0.0.1', 0))"),
    "space on a disk": _unseen("shutil.disk_usage(OUTSIDE)"),
    "load of the machine": _unseen("os.getloadavg()"),
    "umask": Case(
        "mask = os.umask(0); os.umask(mask)\n" + TWO_IF.format("mask == 0o77"),
        lambda world: os.umask(0o22),
        lambda world: os.umask(0o77),
    ),
    "relative link": file(
        f"os.mkdir('sub')\nos.symlink({_UP}, 'sub/l')\n"
        "said = open('sub/l').read(); os.unlink('sub/l'); os.rmdir('sub'); return said"
    ),
    "link in a directory's descriptor": file(
        f"os.mkdir('sub')\nos.symlink({_UP}, 'l', dir_fd=os.open('sub', os.O_RDONLY))\n"
        "said = open('sub/l').read(); os.unlink('sub/l'); os.rmdir('sub'); return said"
    ),
    "link to a directory": file(
        "os.symlink(OUTSIDE, 'd')\nsaid = open('d/VERSION').read(); os.unlink('d'); return said"
    ),
    "link by a link": file(
        "os.symlink(OUTSIDE, 'd'); os.symlink('d/VERSION', 'e')\n"
        "said = open('e').read(); os.unlink('d'); os.unlink('e'); return said"
    ),
    "link among temporary files": file(
        "import tempfile\nplace = tempfile.mkdtemp()\n"
        f"os.symlink(os.path.relpath({VERSION}, os.path.realpath(place)), place + '/l')\n"
        "said = open(place + '/l').read(); shutil.rmtree(place); return said"
    ),
    "hard link": file(f"os.link({VERSION}, 'h')\nsaid = open('h').read(); os.unlink('h'); return said"),
    "hard link from a directory's descriptor": file(
        "os.link('VERSION', 'h', src_dir_fd=os.open(OUTSIDE, os.O_RDONLY))\n"
        "said = open('h').read(); os.unlink('h'); return said"
    ),
    "file of another working directory": file(
        "os.fchdir(os.open(OUTSIDE, os.O_RDONLY))\nreturn open('VERSION').read()"
    ),
    "shell that changes its directory": _shell("'cd ' + OUTSIDE + ' && cat VERSION'"),
    "shell that reads a script": _shell(f"'. ' + {VERSION}", "echo {}"),
    "shell with a condition": _shell(f"'if true; then cat ' + {VERSION} + '; fi'"),
    "shell that becomes another": _shell(f"'exec cat ' + {VERSION}"),
    "shell with a mask": _shell(f"'umask 077; cat ' + {VERSION}"),
    "shell that looks for a program": _unseen("os.popen('command -v quux').read()"),
    "script that a shell reads first": Case(
        ran("['bash', '-c', 'echo $V']"),
        lambda world: _profile(world, "one"),
        lambda world: _profile(world, "two"),
        kept=False,
    ),
    "file in a list": file(f"Path('../l').write_text({VERSION})\n" + ran("['sort', '--files0-from=../l']"), kept=False),
    "sums in a list": _unseen("subprocess.run(['sha256sum', '-c', OUTSIDE + '/l'], capture_output=True)"),
    "header by its path": _compiled("['cc', '-E', '-P', '../x.c']", _ABSOLUTE),
    "header beside the source": _compiled(
        "['cc', '-E', '-P', '../../outside/x.c']", _source("OUTSIDE + '/x.c'", _PLAIN)
    ),
    "header above the source": Case(
        ran("['cc', '-E', '-P', 'x.c']"), lambda world: _beside(world, "one"), lambda world: _beside(world, "two")
    ),
    "header of a header": _compiled(
        "['cc', '-E', '-P', '../x.c']",
        _source("OUTSIDE + '/a.h'", _PLAIN) + "\n" + _source("'../x.c'", "'#include \"' + OUTSIDE + '/a.h\"\\n'"),
    ),
    "header by a link": file(
        "os.symlink(OUTSIDE, 'inc')\n"
        + _source("'../x.c'", "'#include <quux.h>\\nQUUX\\n'")
        + "\nsaid = subprocess.run(['cc', '-E', '-P', '-Iinc', '../x.c'], capture_output=True, text=True).stdout\n"
        "os.unlink('inc'); return said.strip()",
        "outside/quux.h",
        text=_HEADER,
    ),
    "header of a text": file(
        ran("['cc', '-E', '-P', '-']", ", input='#include \"' + OUTSIDE + '/quux.h\"\\nQUUX\\n'"),
        "outside/quux.h",
        kept=False,
        text=_HEADER,
    ),
    "header of options in a file": _compiled(
        "['cc', '-E', '-P', '@../o', '../x.c']",
        "Path('../o').write_text('-I' + OUTSIDE)\n" + _source("'../x.c'", "'#include <quux.h>\\nQUUX\\n'"),
        kept=False,
    ),
    "script of a linker": file(
        _source("'../x.c'", "'int main(void){return 0;}'")
        + "\nsubprocess.run(['cc', '-shared', '-fPIC', '-o', '../x.so', '-Wl,--version-script,' + OUTSIDE + '/VERSION',"
        " '../x.c'])\nreturn 'one' if b'NODE_one' in Path('../x.so').read_bytes() else 'two'",
        text="NODE_{} {{ global: main; }};\n",
    ),
    "text of an assembler": file(
        _source("'../x.s'", "'.include \"' + OUTSIDE + '/quux.s\"\\n'")
        + "\nsubprocess.run(['as', '../x.s', '-o', '../x.o'])\n"
        "return 'one' if b'one' in Path('../x.o').read_bytes() else 'two'",
        "outside/quux.s",
        text='.ascii "{}"\n',
    ),
}
