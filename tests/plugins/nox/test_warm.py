"""The second session of the same thing starts no pip, in a fresh checkout: counted by the log that every pip writes."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from tests.plugins.tox.project import furnish
from tests.support.environment import clean_environment
from tests.support.seeds import seed, sow
from tests.support.suites import usually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.shared import Host

_NOXFILE: Final = """\
import os, tempfile, nox

@nox.session(venv_backend="linked")
def session(session):
    random = tempfile.NamedTemporaryFile("w", suffix=".txt")
    random.write("tiny<2\\n")
    random.flush()
    {line}
    session.run("python", "-c", "import tiny")
"""


_LINES: Final = [
    'session.install("tiny", "--constraint=" + random.name)',
    'session.install("tiny", "-c", os.path.abspath("constraints.txt"))',
    'session.install("tiny", env={"PIP_CONSTRAINT": random.name, "PYTHONPATH": os.path.abspath("src")})',
    'session.install("-r", os.path.abspath("requirements.txt"))',
    'session.install("-e", ".[extra]", "-c", random.name)',
    'session.install("-r", "more.txt", "tiny<2")',
]


@pytest.mark.parametrize("line", usually(_LINES, _LINES[0], _LINES[4]))
def test_no_pip(tmp_path: Path, shared_dir: Path, newest: Host, line: str) -> None:
    log, store = tmp_path / "pip.log", sow(seed(shared_dir, newest), tmp_path / "store")
    started = []
    for name in ("one", "one", "two"):
        root = tmp_path / name
        shutil.rmtree(root, ignore_errors=True)
        furnish(root)
        if not (tmp_path / "wheels").exists():
            shutil.copytree(root / "wheels", tmp_path / "wheels")
        (root / "more.txt").write_text("-e ./\n")
        (root / "noxfile.py").write_text(_NOXFILE.format(line=line))
        log.unlink(missing_ok=True)
        done = subprocess.run(
            [str(newest.python), "-m", "nox"],
            cwd=root,
            env=clean_environment()
            | {
                "LINKENV_STORE": str(store),
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": str(tmp_path / "wheels"),
                "PIP_LOG": str(log),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        started.append(log.exists())
    assert started == [True, False, False]
