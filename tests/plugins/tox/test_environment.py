"""Environments of tox: taken over from the former one, made anew when they are unfinished, chosen in every way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.store import Store
from tests.plugins.tox.tool import ORACLE, Run, ini
from tests.support.capabilities import require_python
from tests.support.suites import usually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugins.tox.tool import Outcome, Project
    from tests.support.shared import Host

_VERSION = 'commands = python -c "import tiny; print(tiny.VERSION)"'


def _packages(project: Project, name: str = ".tox/py") -> Path:
    return next((project.root / name).glob("lib/python*/site-packages"))


def _recycled(project: Project) -> None:
    bare = "deps = tiny==1.0\nlinkenv_bytecode = false"  # bytecode that comes later would be a reason for another tree
    project.tox(Run(config=ini(bare, runner="linked")))
    (_packages(project) / "stray.py").write_text("")
    (_packages(project) / "tiny.py").unlink()
    before = (_packages(project) / "pip").stat().st_ino
    told = project.tox(Run(("run", "-r"), config=ini(f"{bare}\n{_VERSION}", runner="linked")))
    assert told.code == 0, told.output
    assert "\n1.0\n" in told.output
    assert (_packages(project) / "pip").stat().st_ino == before, "nothing was taken over"
    assert not (_packages(project) / "stray.py").exists()


def test_recycled_on_newest(project: Project) -> None:
    _recycled(project)


def test_files_are_linked(project: Project) -> None:
    told = project.tox(Run(config=ini("deps = tiny", runner="linked")))
    assert told.code == 0, told.output
    assert (_packages(project) / "tiny.py").stat().st_nlink > 1
    assert "linked: " in project.log("install_deps")


def test_second_time_needs_no_pip(project: Project) -> None:
    config = ini(f"deps =\n    -r requirements.txt\n{_VERSION}", runner="linked")
    project.tox(Run(config=config))
    told = project.tox(Run(("run", "-r")))
    assert told.code == 0, told.output
    assert "linked: reused the resolution" in project.log("install_deps")


def test_why_virtualenv_makes_an_environment_is_told_in_one_line(project: Project) -> None:
    base = Store.open(project.root / "own").layout.base
    Path(base, "skeletons").write_text("")
    config = ini(f"deps = tiny\n{_VERSION}", runner="linked")
    told = project.tox(Run(config=config, env={"LINKENV_STORE": str(project.root / "own")}))
    assert told.code == 0, told.output
    (line,) = [line for line in told.output.splitlines() if "virtualenv makes the environment" in line]
    assert line.startswith(
        "py: linked: virtualenv makes the environment: The store cannot be written (Not a directory): "
    )
    assert "skeletons/" in line
    assert "move it away" in line


def _asked_virtualenv(told: Outcome) -> bool:
    """Return whether a session of virtualenv was made: it loads what seeders have in common."""
    return "virtualenv.seed.seeder" in told.output


def test_second_time_asks_virtualenv_nothing(project: Project) -> None:
    seen = {"PYTHONPROFILEIMPORTTIME": "1"}
    config = ini("deps = tiny\ncommands =", runner="linked")
    first, *later = (project.tox(Run(args, config=config, env=seen)) for args in (("run",), ("run", "-r"), ("run",)))
    assert _asked_virtualenv(first)
    assert [told.code for told in later] == [0, 0], later[0].output
    assert not any(map(_asked_virtualenv, later))
    assert _asked_virtualenv(project.tox(Run(("run", "-r"), env={**seen, "LINKENV_RESOLUTION_AGE": "0"})))


def test_interpreter_that_goes(project: Project) -> None:
    """What was found is not believed once the directory that it was found in has changed."""
    real = require_python("3.11")
    programs = project.root / "programs"

    def comes(root: Path) -> None:
        programs.mkdir()
        (programs / "python3.11").symlink_to(real)

    def goes(root: Path) -> None:
        (programs / "python3.11").unlink()

    config = ini("base_python = python3.11\ndeps = tiny", tox="skipsdist = true\nskip_missing_interpreters = false")
    env = {"PATH": str(programs), "HOME": str(project.root)}
    told = project.same_on_both(
        Run(config=config, env=env, before=comes),
        Run(("run", "-r"), env=env),
        Run(("run", "-r"), env=env, before=goes),
    )
    assert [outcome.code for outcome in told] == [0, 0, 1]
    assert "could not find python interpreter" in told[-1].output


def test_unfinished_is_made_anew(project: Project) -> None:
    project.tox(Run(config=ini(f"deps = tiny\n{_VERSION}", runner="linked")))
    (project.root / ".tox/py/.linkenv/receipt.json").unlink()
    (_packages(project) / "tiny.py").unlink()
    told = project.tox(Run())
    assert told.code == 0, told.output
    assert "recreate env because it was left half-made" in told.output


def test_directory_that_was_there(project: Project) -> None:
    """What virtualenv would write into is put aside; what is the user's stays."""
    left = project.root / ".tox/py/bin"
    left.mkdir(parents=True)
    (left / "python").write_text("")
    (project.root / ".tox/py/notes.txt").write_text("")
    told = project.tox(Run(config=ini(f"deps = tiny\n{_VERSION}", runner="linked")))
    assert told.code == 0, told.output
    assert (project.root / ".tox/py/notes.txt").exists()


def test_switching_runners(project: Project) -> None:
    config = ini(f"deps = tiny\n{_VERSION}")
    first, *changed = (project.tox(Run(config=config), runner) for runner in ("linked", ORACLE, "linked"))
    assert first.code == 0, first.output
    for told in changed:
        assert told.code == 0, told.output
        assert "recreate env because env type changed" in told.output


def test_edited_in_place(project: Project) -> None:
    """Files of the store are not other environments' to suffer from."""
    command = "commands = python -c \"import tiny; open(tiny.__file__, 'a').write('EDITED = 1')\""
    told = project.tox(Run(config=ini(f"deps = tiny\n{command}", runner="linked")))
    assert told.code == 0, told.output
    assert "The session py edited a file" in told.output
    told = project.tox(Run(("run", "-r"), config=ini(f"deps = tiny\n{_VERSION}", runner="linked")))
    assert told.code == 0, told.output
    assert "EDITED" not in (_packages(project) / "tiny.py").read_text()


def test_edited_between_runs(project: Project) -> None:
    """Only where an environment was made by this very run, and nothing has run in it, need nothing be looked at."""
    project.tox(Run(config=ini("deps = tiny", runner="linked")))
    with (_packages(project) / "tiny.py").open("a") as stream:
        stream.write("EDITED = 1\n")
    told = project.tox(Run(("run", "--notest")))
    assert told.code == 0, told.output
    assert "The session py edited a file" in told.output


def test_chosen_by_option(project: Project) -> None:
    config = f"[tox]\nskipsdist = true\n[testenv]\ndeps = tiny\n{_VERSION}\n"
    told = project.tox(Run(("run", "-e", "py", "--runner", "linked"), config=config))
    assert told.code == 0, told.output
    assert (project.root / ".tox/py/.linkenv/receipt.json").exists()


def test_chosen_by_variable(project: Project) -> None:
    config = f"[tox]\nskipsdist = true\n[testenv]\ndeps = tiny\n{_VERSION}\n"
    told = project.tox(Run(("run", "-e", "py"), config=config, env={"TOX_DEFAULT_RUNNER": "linked"}))
    assert told.code == 0, told.output
    assert (project.root / ".tox/py/.linkenv/receipt.json").exists()


def test_chosen_in_toml(project: Project) -> None:
    (project.root / "tox.toml").write_text(
        'no_package = true\nenv_list = ["py"]\n[env_run_base]\nrunner = "linked"\ndeps = ["tiny"]\n'
        'linkenv_resolution_age = 7\nlinkenv_bytecode = false\ncommands = [["python", "-c", "import tiny"]]\n'
    )
    assert project.tox(Run()).code == 0
    assert (project.root / ".tox/py/.linkenv/receipt.json").exists()
    told = project.tox(Run(("config", "-k", "linkenv_resolution_age", "linkenv_bytecode")))
    assert "linkenv_resolution_age = 7.0\nlinkenv_bytecode = False" in told.output


def test_chosen_in_pyproject(project: Project) -> None:
    with (project.root / "pyproject.toml").open("a") as stream:
        stream.write('[tool.tox]\nenv_list = ["py"]\n[tool.tox.env_run_base]\nrunner = "linked"\npackage = "wheel"\n')
    told = project.tox(Run())
    assert told.code == 0, told.output
    assert (project.root / ".tox/py/.linkenv/receipt.json").exists()


def test_linked_packaging(project: Project) -> None:
    """Package environments are tox's own where a runner is; both kinds go together under two names."""
    more = "[testenv:b]\nrunner = virtualenv\n[testenv:c]\nlinkenv_packaging = true\npackage_env = .pkg-linked"
    config = ini("package = wheel\ncommands = demo", tox="", more=more, runner="linked")
    project.tox(Run(("run", "-e", "py,b,c"), config=config))
    told = project.tox(Run(("run", "-e", "py,b,c", "-r")))
    assert told.code == 0, told.output
    assert not (project.root / ".tox/.pkg/.linkenv").exists()
    assert (project.root / ".tox/.pkg-linked/.linkenv/receipt.json").exists()
    assert "tiny-2.0.dist-info" in told.installed[".tox/.pkg-linked"]
    assert not (project.root / ".tox/b/.linkenv").exists()


_OTHER = "[testenv:b]\nrunner = virtualenv\npackage = wheel\n"


_ENVIRONMENTS = [
    ((), "", "", True),
    ((), "", "[testenv:.pkg]\nset_env = A=1\n[testenv:lint]\nskip_install = true\n", True),
    ((), "linkenv_packaging = false", "", False),
    ((), "", "[testenv:c]\nlinkenv_packaging = false", False),
    ((), "", _OTHER, False),
    (("-e", "py,b"), "", _OTHER, False),
    (("-e", "b,py"), "", _OTHER, False),
    (("-e", "py,py312", "-x", "testenv:py312.runner=virtualenv"), "", "", False),
]


@pytest.mark.parametrize(
    ("args", "lines", "more", "linked"), usually(_ENVIRONMENTS, *(_ENVIRONMENTS[at] for at in (1, 3, 6)))
)
def test_packages_are_built_linked_where_all_are(
    project: Project, args: tuple[str, ...], lines: str, more: str, linked: bool
) -> None:
    config = ini(f"package = wheel\n{lines}\ncommands = demo", tox="", more=more, runner="linked")
    if "py312" in args:
        require_python("3.12")
    told = project.tox(Run(("run", *args), config=config))
    assert told.code == 0, told.output
    assert (project.root / ".tox/.pkg/.linkenv").exists() is linked
    assert "tiny-2.0.dist-info" in told.installed[".tox/.pkg"]


@pytest.mark.slow
def test_on_the_oldest(make: Callable[[Host], Project], oldest: Host) -> None:
    _recycled(make(oldest))


def test_plugin_out_of_its_depth(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tox has changed under the plugin, it says so and leaves tox as it was."""
    broken = project.root / "broken"
    (broken / "nox_linkenv").mkdir(parents=True)
    (broken / "sitecustomize.py").write_text("import sys\nsys.modules['nox_linkenv.plugins.tox.installing'] = None\n")
    config = ini("deps = tiny", runner=ORACLE)
    told = project.tox(Run(config=config, env={"PYTHONPATH": str(broken)}))
    assert told.code == 0, told.output
    assert "does not know this version of tox" in told.output
