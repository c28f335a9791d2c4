"""tox without the plugin, which ``requires`` provisions; and tox-uv installed beside it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.env.receipt import read_receipt
from tests.plugins.tox.tool import Project, Run
from tests.support.shared import ROOT, Host, make_host, run_checked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.slow]

_THREE = """\
[tox]
env_list = linked, uv, plain, unnamed
skipsdist = true

[testenv]
deps = tiny
commands = python -c "import tiny"

[testenv:linked]
runner = linked

[testenv:uv]
runner = uv-venv-runner

[testenv:plain]
runner = virtualenv
"""


def test_provisioned_by_requires(make: Callable[[Host], Project], shared_dir: Path) -> None:
    project = make(make_host(shared_dir, "bare-tox", "tox"))
    wheels = project.root.parent / "dist"
    run_checked(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(wheels), str(ROOT))
    config = "[tox]\nrequires = nox-linkenv[tox]\nskipsdist = true\n[testenv]\nrunner = linked\ndeps = tiny\n"
    places = f"{wheels} {project.root / 'wheels'}"
    # tox itself comes from the index, and this project from where its release candidate lies
    done = project.tox(Run(("run", "-e", "py"), config=config, env={"PIP_FIND_LINKS": places, "PIP_NO_INDEX": "0"}))
    assert done.code == 0, done.output
    assert (project.root / ".tox" / ".tox" / "pyvenv.cfg").exists()
    receipt = read_receipt(str(project.root / ".tox" / "py"))
    assert receipt is not None, done.output
    assert any(name.startswith("tiny-") for name in done.installed[".tox/py"])


def test_beside_tox_uv(make: Callable[[Host], Project], shared_dir: Path) -> None:
    project = make(make_host(shared_dir, "tox-uv", f"{ROOT}[tox]", "tox-uv"))
    wheels = project.root / "wheels"
    env = {"TOX_DISABLED_EXTERNAL_PLUGINS": "", "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(wheels)}
    done = project.tox(Run(("run",), config=_THREE, env=env))
    assert done.code == 0, done.output
    made = {name: project.root / ".tox" / name for name in ("linked", "uv", "plain", "unnamed")}
    assert {name for name, place in made.items() if read_receipt(str(place)) is not None} == {"linked"}
    # tox-uv makes its runner the default one, and that stays so
    assert {name for name, place in made.items() if "uv = " in (place / "pyvenv.cfg").read_text()} == {"uv", "unnamed"}
    again = project.tox(Run(("run",), env=env))
    assert again.code == 0, again.output
