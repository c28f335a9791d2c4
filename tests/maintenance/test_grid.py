"""Each kind of file, and whatever may become of it: the right environment or one clear error, no traceback, no hang."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from nox_linkenv.errors import StoreError
from nox_linkenv.store.layout import DIRECTORIES
from tests.maintenance.apart import apart
from tests.maintenance.damages import DAMAGES, VOID
from tests.maintenance.grid import KINDS, furnish, look, mended, verified
from tests.provision.tool import Site, site
from tests.support.capabilities import Capability, require, require_python
from tests.support.index import serving
from tests.support.interpreters import TARGET
from tests.support.shared import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.reliability import Reliability

#: What of the site is put back before each cell.
_PARTS: Final = ("store", "project", "lower", "companion", "remote", "archive")
#: What cells make.
_MADE: Final = ("upper", "taken", "filled", *_PARTS)
#: What lets root do what is denied to others: to give files away, to read and write any, to change those of others.
_RIGHTS: Final = range(4)  # CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER in linux/capability.h
_DROP_FOR_GOOD: Final = 24  # PR_CAPBSET_DROP in linux/prctl.h
#: Finds what has been changed and has its old date: that is what it is for.
_REPAIR: Final = ("--full", "--repair")
_VERSION: Final = 0x20080522  # _LINUX_CAPABILITY_VERSION_3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, template: Callable[[str], Path]) -> Iterator[Site]:
    """A site that has files of every kind, and a copy of all of them in ``kept``."""
    require(Capability.REMOTE, Capability.HARDLINK)
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("VIRTUALENV_", "PIP_", "LINKENV_")) or name == "PYTHONDONTWRITEBYTECODE":
                patch.delenv(name)
        made = site(tmp_path_factory.mktemp("grid"), require_python(TARGET), template(TARGET))
        patch.setenv("HOME", str(made.root / "home"))
        with serving(made.wheels) as index:
            furnish(made, index)
            _copy(made.root, made.root / "kept")
            yield made


def _reset(here: Site) -> None:
    for name in _MADE:
        path = here.root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    _copy(here.root / "kept", here.root)


def _copy(source: Path, target: Path) -> None:
    """Copy what is at *source* with its dates, and with what it has links between."""
    target.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", *(source / name for name in _PARTS), target], check=True)


def _give_up_rights() -> None:
    """Have permissions hold for root as for others: for this process, and for those that it starts."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    words = (ctypes.c_uint32 * 6)()
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    assert libc.capget(header, words) == 0
    for right in _RIGHTS:
        assert libc.prctl(_DROP_FOR_GOOD, right, 0, 0, 0) == 0
        for word in range(3):  # what is in force, what may be, what is handed on
            words[word] &= ~(1 << right)
    assert libc.capset(header, words) == 0


def _store_of(path: Path) -> Path:
    """Return the root of the store that the file at *path* lies in."""
    return next(parent.parent for parent in path.parents if parent.name == "v2")


def _told(work: Callable[[], object]) -> StoreError | None:
    """Return the error that *work* ends in, if it does: what is wrong where, and what to do."""
    try:
        work()
    except StoreError as error:
        return error
    return None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _cell(here: Site, kind: str, name: str) -> str:
    """Damage all files of a *kind*; return what is wrong then."""
    _reset(here)
    chosen, damage = KINDS[kind], DAMAGES[name]
    victims = chosen.files(here)
    if not victims:
        return f"there is no {kind}"
    for path in victims:
        damage(path)

    def work() -> tuple[int, None]:
        _give_up_rights()
        if name not in VOID and name != "mistyped":
            if chosen.noticed:
                assert not verified(here), "verify does not tell"
            if chosen.full:
                assert not verified(here, "--full"), "verify --full does not tell"
        look(here)
        if name == "flipped" and kind.rpartition(" ")[2] in ("object", "bytecode"):
            verified(replace(here, settings=replace(here.settings, store=str(_store_of(victims[0])))), *_REPAIR)
        told = _told(lambda: chosen.used_by(here))
        if told is not None:
            assert Path(str(told.path)) in victims, told
            assert told.remedy.startswith(("Remove", "Give yourself")), told
            for path in victims:
                _remove(path)
            chosen.used_by(here)
        mended(here)
        return 0, None

    done = apart(work)
    return "" if done.code == 0 else f"{kind}, {name}: {done.said}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_cells(made: Site, kind: str, reliability: Reliability) -> None:
    wrong = [text for name in DAMAGES if (text := _cell(made, kind, name))]
    assert not wrong, "\n".join(wrong)
    reliability("grid", (kind, len(DAMAGES), 0))


def test_every_kind_of_the_format_is_in_the_grid() -> None:
    """A kind that is new in the format, or on its page, has to be damaged, too."""
    known = {kind.documented for kind in KINDS.values()}
    assert {directory.name.partition("/")[0] for directory in DIRECTORIES} <= known
    page = (ROOT / "docs" / "store-format.md").read_text(encoding="utf-8")
    layout = page.partition("```text\n")[2].partition("```")[0]
    named = re.findall(r"^(?:  |    )([\w.]+(?:-store\.json)?)", layout, re.MULTILINE)
    assert {name for name in named if name != "v2"} <= known


def _opened(work: Callable[[], None], top: Path) -> list[str]:
    """Do *work*; return the regular files below *top* that were opened for it."""
    found: set[str] = set()

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(f"{top}/"):
            found.add(arguments[0])

    sys.addaudithook(note)  # stays until this process ends, which does nothing else
    work()
    return sorted(path for path in found if os.path.isfile(path))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_every_kind_that_others_may_have_changed_is_in_the_grid(made: Site) -> None:
    """Those of a remote store, and those of a lower one that a session reads."""
    _reset(made)
    known = {str(path) for kind in KINDS.values() for path in kind.named(made)}
    remote = {str(path) for path in (made.root / "remote").rglob("*") if path.is_file()}
    assert remote
    assert remote - known == set()
    lower = apart(lambda: (0, _opened(lambda: KINDS["lower plan"].used_by(made), made.root / "lower")))
    assert lower.code == 0, lower.said
    print(*lower.value, sep="\n")
    assert lower.value
    assert set(lower.value) - known == set()
