"""Runs inside of a build's interpreters, and notes what they read that is not part of the project.

It is no part of this process: a line of a ``.pth`` file, which :mod:`nox_linkenv.projects.watch` writes, loads it into
every interpreter of the build environment that starts.  So it must work on each Python that is built for, import
nothing that is not loaded anyway, print nothing, and change nothing that a build could see in its results.

One line for each thing that is read, a tuple as Python writes it, is added to a file which all these processes share:
``(kind, ...)``.  The kinds are those of :class:`nox_linkenv.projects.notes.Kind`.  Where noting fails, that file is
renamed: what is not known to be whole is not used.

Seen are look-ups in ``os.environ``, the audit events of PEP 578, and calls of functions for which there is no event,
such as ``os.stat`` and ``os.getuid``.  Not seen is what native code reads; that it was loaded, called or run is.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType, ModuleType

    _Arguments = tuple[object, ...]
    _Keywords = dict[str, object]

#: Modules through which ``os.environ`` is read on behalf of their callers.
_BETWEEN = ("os", "_collections_abc", "collections.abc", "posixpath")
#: Readers whose reading has no consequence for what is built: where temporary files and a user's packages lie, how wide
#: a terminal is.
_IDLE = {
    "tempfile": ("TMPDIR", "TEMP", "TMP"),
    "site": ("HOME", "PYTHONUSERBASE"),
    "sysconfig": ("HOME", "PYTHONUSERBASE"),
    "shutil": ("COLUMNS", "LINES"),
    "_colorize": ("PYTHON_COLORS", "NO_COLOR", "FORCE_COLOR", "TERM"),
}
#: What has the hooks of a build backend called (pyproject-hooks, and pep517 before it).
_HOOKS = ("_PYPROJECT_HOOKS_BUILD_BACKEND", "PEP517_BUILD_BACKEND")
#: Goes through the directories above a project, up to the root, for ``.egg-info``; modules that lie between.
_SEEKER = "setuptools_scm._integration._discover"
_LISTING = ("os", "posixpath", "genericpath", "pathlib", "pathlib._local", "pathlib._abc", "pathlib._os")
#: Functions that list directories for others, and such as take from the list what a pattern says.
_PASSING = (("glob", "_iterdir"), ("glob", "_listdir"), ("os", "walk"), ("os", "_walk"))
_GLOBS = (("glob", "_glob1"), ("setuptools.glob", "glob1"))
#: Where setuptools looks for what belongs into a list of sources.
_SDIST = ("setuptools._distutils.command.sdist", "distutils.command.sdist")
#: Functions of :mod:`os` that say something of the process or the machine.
_FACTS = (
    "cpu_count", "process_cpu_count", "sched_getaffinity", "umask", "getuid", "geteuid", "getgid", "getegid",
    "getgroups", "getlogin",
)  # fmt: skip
#: Functions of native modules, which are called for what no event tells of.
_SILENT = {"_posixsubprocess": "fork_exec", "_posixshmem": "shm_open", "_cffi_backend": "load_library"}
#: What runs Python code without the hooks of this interpreter.
_APART = ("_xxsubinterpreters", "_interpreters")

#: Variables that lead git away from the repository that it is run in.
_GIT = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
)  # fmt: skip
#: Shell -> the variable that names a file which it reads first.
_READ_FIRST = {"bash": "BASH_ENV", "ksh": "ENV"}


class _Noted:
    """Stands in for a function, mostly of :mod:`os`.  No function of Python: those become methods.

    Args:
        note: called with the positional arguments, and those with names.
    """

    def __init__(self, function: Callable[..., object], note: Callable[[_Arguments, _Keywords], None]) -> None:
        self._function = function
        self._note = note

    def __call__(self, *arguments: object, **keywords: object) -> object:
        self._note(arguments, keywords)
        return self._function(*arguments, **keywords)

    def __getattr__(self, name: str) -> object:
        return getattr(self._function, name)

    def __reduce__(self) -> tuple[object, ...]:
        return getattr, (os, self._function.__name__)


class _Recorder:
    """Notes what one process reads.

    Args:
        record: the file for the notes.
        inert: beginnings of the paths of what is known anyway: the build environment, the standard library.
        every: whether all processes are watched, and not only those of builds.
    """

    def __init__(self, record: str, inert: tuple[str, ...], every: bool) -> None:
        self.record = record
        self.inert = inert
        self.every = every
        self.noted: set[str] = set()
        self.places: set[str] = set()  # on sys.path
        self.apart: set[object] = set()  # native modules whose functions are watched
        self.readlink = os.readlink
        self.open, self.write, self.close = os.open, os.write, os.close
        self.getcwd, self.stat, self.access = os.getcwd, os.stat, os.access
        self.flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)

    def start(self) -> None:
        self.note("start", self.getcwd())
        self._watch_environment()
        noting: dict[str, Callable[[_Arguments, _Keywords], None]] = dict.fromkeys(
            ("stat", "lstat", "fstat", "access", "readlink"), self.looked_at
        )
        noting.update(dict.fromkeys(("statvfs", "fstatvfs", "getloadavg"), self.measured), open=self.opened_within)
        noting.update((name, self._telling(name)) for name in _FACTS)
        for name, note in noting.items():
            function = getattr(os, name, None)
            if function is None:
                continue
            noted = _Noted(function, note)
            for able in ("dir_fd", "effective_ids", "fd", "follow_symlinks"):
                functions = getattr(os, "supports_" + able)
                if function in functions:
                    functions.add(noted)
            setattr(os, name, noted)
        self._watch_posix(noting)
        handlers: dict[str, Callable[..., None]] = {
            "open": self.opened,
            "os.listdir": self.listed,
            "os.scandir": self.scanned,
            "os.mkdir": self.made_directory,
            "os.chdir": self.touched,
            "os.remove": self.touched,
            "os.rmdir": self.touched,
            "os.chmod": self.touched,
            "os.chown": self.touched,
            "os.truncate": lambda path, length: self.touched(path),
            "os.utime": self.touched,
            "os.rename": self.moved,
            "os.link": self.moved,
            "os.symlink": self.linked,
            "sqlite3.connect": self.connected,
            "import": self.imported,
            "ctypes.dlopen": self.loaded,
            "ctypes.dlsym": self.called,
            "ctypes.dlsym/handle": self.called,
            "os.getxattr": self.attributed,
            "subprocess.Popen": self.ran,
            "os.exec": self.replaced,
            "os.posix_spawn": self.replaced,
            "os.system": self.shell,
            "socket.bind": self.reached,
            "socket.connect": self.reached,
            "socket.sendto": self.reached,
            "socket.sendmsg": self.reached,
            "socket.getaddrinfo": self.asked,
            "socket.gethostbyname": self.asked,
            "socket.gethostname": self.named_machine,
        }

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            handler = handlers.get(event)
            if handler is not None:
                self.safely(handler, *arguments)

        sys.addaudithook(hook)

    def safely(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            function(*arguments)
        except Exception:  # noqa: BLE001 - the build must go on; its record is no longer one
            try:  # noqa: SIM105 - contextlib is not loaded
                os.rename(self.record, self.record + ".broken")
            except OSError:
                pass

    def note(self, *words: object) -> None:
        line = ascii(words)
        if line not in self.noted:
            self.noted.add(line)
            # Opened each time: no descriptor stands in the build's way, and what a child notes stands in order.
            descriptor = self.open(self.record, self.flags)
            try:
                self.write(descriptor, line.encode("ascii") + b"\n")
            finally:
                self.close(descriptor)

    def held(self, descriptor: object) -> str | None:
        """Return the path of what *descriptor* holds open, ``None`` where it is no file or cannot be told."""
        try:
            name = self.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            return None
        return name if name.startswith("/") else None

    def named(self, path: object, within: object = None) -> str | None:
        """Return the absolute path of what is read, ``None`` where it cannot be told or is known anyway.

        Args:
            within: descriptor of the directory that *path* is relative to.
        """
        if path is None:
            return self.getcwd()
        held = self.held(path) if isinstance(path, int) else os.fsdecode(path)  # type: ignore[arg-type]
        if held is None:
            return None
        name = held
        if not name.startswith("/"):
            place = self.getcwd() if within is None else self.held(within)
            if place is None:
                return None
            name = place + "/" + name
        if name.startswith(self.inert) or name == self.record:
            return None
        # What pyproject-hooks tells the process that it has started, and is told by it.
        if name.endswith("put.json") and name.rpartition("/")[0] in getattr(sys, "argv", ()):
            return None
        return name

    def path(self, kind: str, path: object, within: object = None) -> None:
        """Note that *path* is read, and what stands there."""
        name = self.named(path, within)
        if name is not None and kind + name not in self.noted:
            self.noted.add(kind + name)
            try:
                found = self.stat(name)
                signature: object = (found.st_mode, found.st_size, found.st_mtime_ns, found.st_ino)
                if kind == "file" and found.st_mode & 0o170000 in (0o010000, 0o060000, 0o140000):
                    self.note("unseen", "a pipe, a disk or a socket")
            except (OSError, ValueError):
                signature = None
            self.note(kind, name, signature)

    # What is looked at, and what events say.

    def looked_at(self, arguments: _Arguments, keywords: _Keywords) -> None:
        path = arguments[0] if arguments else keywords.get("path", keywords.get("fd"))
        if not self.is_passed_over(path):
            kind = "kind" if _asks_for_kind() else "state"
            self.safely(self.path, kind, path, keywords.get("dir_fd"))

    def is_passed_over(self, path: object) -> bool:
        """Return whether *path* is one of those that are no metadata, whatever stands there."""
        try:
            name = os.fspath(path)  # type: ignore[call-overload]
        except TypeError:
            return False
        if not isinstance(name, str) or name.endswith(".egg-info"):
            return False
        return "metadata" + (name.rpartition("/")[0] or "/") in self.noted and _seeks_metadata()

    def opened_within(self, arguments: _Arguments, keywords: _Keywords) -> None:
        if keywords.get("dir_fd") is not None:  # of which the event says nothing
            self.safely(self.path, "file", arguments[0] if arguments else keywords.get("path"), keywords["dir_fd"])

    def measured(self, arguments: _Arguments, keywords: _Keywords) -> None:
        self.safely(self.note, "unseen", "how much of the machine is in use")

    def named_machine(self) -> None:
        self.note("fact", "nodename")

    def _telling(self, name: str) -> Callable[[_Arguments, _Keywords], None]:
        def told(arguments: _Arguments, keywords: _Keywords) -> None:
            if _reader()[1] != "site":
                self.safely(self.note, "fact", name)

        return told

    def opened(self, path: object, mode: object, flags: int) -> None:
        access = flags & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
        if flags & (os.O_TRUNC | os.O_EXCL):
            self.made(path)
        elif access != os.O_WRONLY:
            self.path("file", path)

    def listed(self, path: object = None) -> None:
        if not self.looked_for_metadata(path) and not self.looked_for_names(path):
            self.path("list", path)

    def scanned(self, path: object = None) -> None:
        if not self.looked_for_metadata(path) and not self.looked_for_names(path):
            self.path("scan", path)

    def looked_for_names(self, path: object) -> bool:
        """Note the pattern of the names that the directory at *path* is listed for, where it is known."""
        pattern, reader = _sought()
        name = self.named(path) if pattern else None
        if name is None:
            return False
        try:
            found = self.stat(name)
            signature: object = (found.st_mode, found.st_size, found.st_mtime_ns, found.st_ino)
        except (OSError, ValueError):
            signature = None
        if "names" + reader + pattern + name not in self.noted:
            self.noted.add("names" + reader + pattern + name)
            self.note("names", name, signature, pattern, reader)
        return True

    def looked_for_metadata(self, path: object) -> bool:
        """Note the names of metadata in the directory at *path*, where that is all that it is listed for."""
        if not _seeks_metadata():
            return False
        name = self.named(path)
        if name is not None and "metadata" + name not in self.noted:
            self.noted.add("metadata" + name)  # listing it is noted, too
            try:
                found = tuple(sorted(entry for entry in os.listdir(name) if entry.endswith(".egg-info")))
            except OSError:
                found = ()
            self.note("metadata", name, found)
        return True

    def made(self, path: object, within: object = None) -> None:
        name = self.named(path, within)
        if name is not None:
            self.note("made", name)

    def made_directory(self, path: object, mode: object = None, within: object = -1) -> None:
        name = self.named(path, _given(within))
        if name is not None:
            try:
                self.stat(name)
            except OSError:
                self.note("made", name)
            else:
                self.note("touch", name)

    def touched(self, path: object, *rest: object) -> None:
        """Note what is changed: whether that can be done tells what stands there."""
        within = rest[-1] if rest and isinstance(rest[-1], int) else -1
        name = self.named(path, _given(within))
        if name is not None:
            self.note("touch", name)

    def moved(self, source: object, target: object, within: object = -1, into: object = -1) -> None:
        self.path("file", source, _given(within))
        self.made(target, _given(into))

    def linked(self, source: object, target: object, into: object = -1) -> None:
        name = self.named(target, _given(into))
        if name is not None:
            self.note("made", name)
            self.note("link", name, os.fsdecode(source))  # type: ignore[arg-type]

    def connected(self, database: object, *rest: object) -> None:
        self.note("unseen", "a database, which may lead to others")

    def imported(self, module: object, filename: object, places: object = None, *rest: object) -> None:
        if module in _SILENT and module not in self.apart:
            self.apart.add(module)
            self._watch_silent(str(module))
        elif module in _APART:
            self.note("unseen", "code that is run apart")
        if filename is not None:
            name = os.fsdecode(filename)  # type: ignore[arg-type]
            if name.find("/lib-dynload/") < 0 or name.find("dbm") >= 0:
                self.note("extension", name)
        # What is not there now is looked at by native code, which finds no module in it.
        for place in places if isinstance(places, list) else ():
            if isinstance(place, str) and place not in self.places:
                self.places.add(place)
                self.path("state", place or self.getcwd())

    def loaded(self, library: object) -> None:
        self.note("native", library and os.fsdecode(library))  # type: ignore[arg-type]

    def called(self, library: object, name: object = None, *rest: object) -> None:
        self.note("call", name)

    def attributed(self, path: object, *rest: object) -> None:
        if _reader()[1] != "shutil":  # which copies all of them
            self.note("unseen", "attributes of files")

    def reached(self, socket: object, address: object = None, *rest: object) -> None:
        if isinstance(address, (str, bytes)):
            self.note("remote", os.fsdecode(address))
        elif address is not None:
            self.note("remote", None)

    def asked(self, *rest: object) -> None:
        self.note("remote", None)

    def shell(self, command: object) -> None:
        text = os.fsdecode(command)  # type: ignore[arg-type]
        self.note("run", "/bin/sh", ("sh", "-c", text), self.getcwd(), False)

    def replaced(self, program: object, arguments: Sequence[object], environ: object) -> None:
        self.ran(program, arguments, None, environ)

    def ran(self, program: object, arguments: object, directory: object, environ: object) -> None:
        """Note a program, where it was found, and whether what runs then is watched, too."""
        several = not isinstance(arguments, (str, bytes)) and not hasattr(arguments, "__fspath__")
        words = tuple(map(os.fsdecode, arguments if several else (arguments,)))  # type: ignore[call-overload]
        name = os.fsdecode(words[0] if program is None else program)  # type: ignore[arg-type]
        variables = os.environ if environ is None else environ
        get = getattr(variables, "__dict__", {}).get("_data", variables).get
        if "/" not in name:
            path = os.fsdecode(get("PATH") or get(b"PATH") or "/bin:/usr/bin")
            for place in path.split(":"):
                self.path("state", place + "/" + name)
                if self.access(place + "/" + name, os.X_OK):
                    name = place + "/" + name
                    break
        inherited = environ is None or self.every or any(get(hook) or get(hook.encode()) for hook in _HOOKS)
        where = self.getcwd() if directory is None else os.path.join(self.getcwd(), os.fsdecode(directory))  # type: ignore[arg-type]
        watched = bool(inherited and self.is_python(name))
        self.note("run", name, words, where, watched)
        if not watched and any(get(given) or get(given.encode()) for given in _GIT):
            self.note("unseen", "a repository that a variable names")
        first = _READ_FIRST.get(name.rpartition("/")[2])
        if first is not None and (get(first) or get(first.encode())):
            self.note("unseen", "a script that a variable names")

    def is_python(self, program: str) -> bool:
        """Return whether *program* is this interpreter, or a script for it."""
        own = sys.prefix + "/bin/python"
        if program.startswith(own):
            return True
        self.noted.add("file" + program)  # this very look at it
        try:
            descriptor = self.open(program, os.O_RDONLY)
        except (OSError, ValueError):
            return False
        try:
            head = os.read(descriptor, 512)
        finally:
            self.close(descriptor)
        return head[:2] == b"#!" and os.fsencode(own) in head

    def _watch_silent(self, module: str) -> None:
        """Import the native *module* now, so that its function is watched before anybody has it."""
        name = _SILENT[module]
        try:
            found = __import__(module)
        except ImportError:
            return
        if hasattr(found, name):
            note = self.forked if name == "fork_exec" else self.called_apart
            setattr(found, name, _Noted(getattr(found, name), note))

    def called_apart(self, arguments: _Arguments, keywords: _Keywords) -> None:
        self.safely(self.note, "unseen", "native code or shared memory")

    def forked(self, arguments: _Arguments, keywords: _Keywords) -> None:
        if _reader()[1] != "subprocess":  # of which an event tells
            self.safely(self._forked, *arguments[:6])

    def _forked(self, words: object, programs: Sequence[object], close: object, kept: object, *more: object) -> None:
        directory, given = more
        environ = None if given is None else dict(item.split(b"=", 1) for item in given)  # type: ignore[attr-defined]
        self.ran(programs[0], words, directory, environ)

    def _watch_posix(self, noting: dict[str, Callable[[_Arguments, _Keywords], None]]) -> None:
        """Have whoever imports ``posix`` get the functions of :mod:`os`; the import system has its own."""
        real = sys.modules.get("posix")
        if real is None:
            return
        given: ModuleType = type(sys)("posix", real.__doc__)
        given.__dict__.update(real.__dict__)
        given.__dict__.update((name, getattr(os, name)) for name in noting if hasattr(real, name))
        environ = given.__dict__.pop("environ", None)

        def looked_up(name: str) -> object:
            if name != "environ" or environ is None:
                raise AttributeError("module 'posix' has no attribute " + repr(name))
            self.safely(self.note, "variables")
            return environ

        given.__dict__["__getattr__"] = looked_up
        sys.modules["posix"] = given

    def _watch_environment(self) -> None:
        # The functions that os.environ translates names with are called for each look-up and each step of an
        # iteration; unlike a changed __getitem__, they leave no line in the traceback of a KeyError.
        for environ in (os.environ, getattr(os, "environb", None)):
            if environ is not None:
                self._watch(environ)

    def _watch(self, environ: object) -> None:
        to_key, from_key = environ.encodekey, environ.decodekey  # type: ignore[attr-defined]
        iterated: set[object] = set()

        def looked_up(key: object) -> object:
            if key in iterated:
                iterated.discard(key)  # an item of a copy
            else:
                self.safely(self.variable, key)
            return to_key(key)

        def stepped_to(key: object) -> object:
            name = from_key(key)
            iterated.add(name)
            self.safely(self.all_variables)
            return name

        environ.encodekey, environ.decodekey = looked_up, stepped_to  # type: ignore[attr-defined]
        self._watch_data(environ)

    def _watch_data(self, environ: object) -> None:
        """Note when the dictionary behind *environ* is taken, but for what it does so itself."""

        def taken(whole: object) -> object:
            if sys._getframe(1).f_globals is not os.__dict__:
                self.safely(self.all_variables)
            return whole.__dict__["_data"]

        kind = type(environ)
        names = {"_data": property(taken), "__module__": kind.__module__, "__qualname__": kind.__qualname__}
        environ.__class__ = type(kind.__name__, (kind,), names)

    def variable(self, key: object) -> None:
        name = os.fsdecode(key)  # type: ignore[arg-type]
        if name not in _HOOKS and name not in _IDLE.get(_reader()[1], ()):
            self.note("variable", name)

    def all_variables(self) -> None:
        frame, module = _reader()
        if frame is not None and frame.f_code.co_name == "subst_vars" and module.endswith("distutils.util"):
            # It copies all variables, and looks up those which its text names as $NAME.
            for word in str(frame.f_locals.get("s")).split("$")[1:]:
                name = ""
                for letter in word.lstrip("{"):
                    if not (letter.isalnum() or letter == "_"):
                        break
                    name += letter
                self.note("variable", name)
        else:
            self.note("variables")


def _reader() -> tuple[FrameType | None, str]:
    """Return the frame that reads ``os.environ`` at this moment, and the name of its module."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if frame.f_globals.get("_HOOKS") is not _HOOKS and module not in _BETWEEN:
            return frame, module
        frame = frame.f_back
    return None, ""


def _seeks_metadata() -> bool:
    """Return whether at this moment a directory is looked through for metadata, and for nothing else."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if frame.f_globals.get("_HOOKS") is not _HOOKS and module not in _LISTING:
            return bool(module == _SEEKER)
        frame = frame.f_back
    return False


def _asks_for_kind() -> bool:
    """Return whether it is asked at this moment what kind of thing stands somewhere, and nothing else of it."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("_HOOKS") is _HOOKS:
        frame = frame.f_back
    return (
        frame is not None
        and frame.f_globals.get("__name__") in ("genericpath", "posixpath")
        and frame.f_code.co_name in ("exists", "isdir", "isfile", "islink", "lexists")
    )


def _sought() -> tuple[str, str]:
    """Return the pattern of the names that a directory is listed for at this moment, and what for.

    The pattern is empty where anything in the list may be taken; at its end stands ``/`` where only directories are.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module, function = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if frame.f_globals.get("_HOOKS") is _HOOKS or (module, function) in _PASSING:
            frame = frame.f_back
        elif (module, function) in _GLOBS:
            return _pattern(frame.f_locals.get("pattern")), _purpose(frame)
        elif function == "_cs_path_exists" and module in _SDIST:
            name = str(frame.f_locals.get("filename"))  # of which only is asked whether it is in the list
            return "".join("[" + letter + "]" if letter in "[*?" else letter for letter in name), ""
        elif (module, function) == ("setuptools.discovery", "_find_iter"):
            return "*/", ""
        else:
            break
    return "", ""


def _pattern(found: object) -> str:
    return found if isinstance(found, str) and "/" not in found else ""


def _purpose(frame: FrameType | None) -> str:
    """Return ``sources`` where a pattern is looked for by setuptools for its list of sources, and by nobody else."""
    while frame is not None and frame.f_globals.get("__name__") in ("glob", "_distutils_hack.override"):
        frame = frame.f_back
    if frame is None:
        return ""
    found = frame.f_globals.get("__name__"), frame.f_code.co_name
    return "sources" if found[0] in _SDIST and found[1] == "_add_defaults_optional" else ""


def _given(descriptor: object) -> object:
    """Return the *descriptor* that an event names, ``None`` where it stands for none."""
    return None if descriptor == -1 else descriptor


def _is_build(every: bool) -> bool:
    """Return whether this process is to be watched: in an environment that pip runs in, pip is not."""
    if every or any(hook in os.environ for hook in _HOOKS):
        return True
    words = getattr(sys, "orig_argv", None)
    if words is None:
        try:
            with open("/proc/self/cmdline", "rb") as stream:
                words = stream.read().decode("latin-1").split("\0")
        except OSError:
            return False
    return any("setup.py" in word for word in words)


def watch(record: str, inert: tuple[str, ...], every: bool) -> None:
    """Watch this process, unless it is being watched: ``site`` may read a ``.pth`` file twice.

    Args:
        record: path of the file for notes; nothing is watched where it is missing.
        inert: beginnings of paths that do not count.
        every: whether all processes are to be watched, and not only those of builds.
    """
    if type(os.stat).__name__ != _Noted.__name__ and os.path.exists(record) and _is_build(every):
        recorder = _Recorder(record, inert, every)
        recorder.safely(recorder.start)
