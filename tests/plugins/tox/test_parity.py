"""The environments hold what they hold with tox's own runner: paths, bytes, and what pip says about them."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.parity.compare import tree_differences, view_differences
from tests.parity.snapshot import snapshot
from tests.parity.wheels import build_project, build_wheels
from tests.plugins.tox.tool import ORACLE, PEER
from tests.support.capabilities import require_python
from tests.support.environment import clean_environment
from tests.support.interpreters import TARGET, usual

if TYPE_CHECKING:
    from pathlib import Path

    from tests.parity.snapshot import Tree
    from tests.support.oracle import Oracle
    from tests.support.shared import Host

_PYTHONS = usual("3.9", "3.12", "3.13")
_PACKAGED = """\
[testenv:e]
runner = {runner}
base_python = {python}
deps =
    -r requirements.txt
    idna
    wheels/awkward_dist-1.0-py3-none-any.whl
extras = test
"""
_SCI = """\
[testenv:e]
runner = {runner}
base_python = {python}
package = skip
deps =
    pandas
    scipy
    scikit-learn
    matplotlib
"""


def _made(root: Path, host: Host, config: str, runner: str, python: Path) -> tuple[Tree, Any]:
    shutil.rmtree(root / ".tox", ignore_errors=True)
    (root / "tox.ini").write_text(config.format(runner=runner, python=python))
    env = clean_environment() | {"LINKENV_STORE": str(root / "store")}
    done = subprocess.run(
        [str(host.python), "-m", "tox", "run", "-e", "e"],
        cwd=root,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    place = root / ".tox" / "e"
    if runner == PEER:
        logs = "".join(path.read_text() for path in (place / "log").glob("*install*.log"))
        assert "linked: " in logs
        assert "left to pip" not in logs
    tree = {path: entry for path, entry in snapshot(place).items() if not path.startswith(("log", "tmp", ".tox-info"))}
    for path, (kind, mode, digest, text) in tree.items():
        if path.endswith(".dist-info/RECORD") and text is None:  # a long one, which is compared row by row, too
            tree[path] = (kind, mode, digest, (place / path).read_text())
    asked = [str(place / "bin" / "python"), "-m", "pip", "inspect"]
    told = subprocess.run(asked, env=clean_environment(), capture_output=True, text=True, check=True)
    installed = {item["metadata"]["name"]: item for item in json.loads(told.stdout)["installed"]}
    for item in installed.values():
        item.pop("installer", None)  # it is us
    return tree, installed


def _check(root: Path, host: Host, config: str, python: Path, oracle: Oracle) -> None:
    asked = oracle.answer(lambda: _made(root, host, config, ORACLE, python))
    peer = _made(root, host, config, PEER, python)
    told = [*tree_differences(asked[0], peer[0]), *view_differences(asked[1], peer[1])]
    assert not told, "\n".join(told)


@pytest.mark.network
@pytest.mark.parametrize(("version", "package"), [*((version, "wheel") for version in _PYTHONS), (TARGET, "editable")])
def test_packaged_project(
    steady_path: Path, oracle: Oracle, newest: Host, interpreters: dict[str, Path], version: str, package: str
) -> None:
    require_python(version)
    build_project(steady_path)
    build_wheels(steady_path / "wheels")
    (steady_path / "requirements.txt").write_text("six<1.17\niniconfig\n")
    # One interpreter builds for all: building is not what is compared.
    config = f"{_PACKAGED}package = {package}\nwheel_build_env = .pkg\n"
    _check(steady_path, newest, config, interpreters[version], oracle)


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("version", _PYTHONS)
def test_big(steady_path: Path, oracle: Oracle, newest: Host, interpreters: dict[str, Path], version: str) -> None:
    require_python(version)
    _check(steady_path, newest, _SCI, interpreters[version], oracle)
