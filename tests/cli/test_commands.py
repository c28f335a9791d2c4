"""Every command on a real store: what it says, its JSON, its exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.cli.tool import answer, linkenv, say, start
from tests.provision.tool import put_wheel

if TYPE_CHECKING:
    from tests.provision.tool import Site

COMMANDS = (
    "info",
    "du",
    "envs",
    "clean",
    "prune",
    "verify",
    "doctor",
    "explain",
    "create",
    "install",
    "run",
    "warm",
    "wait",
)


@pytest.fixture
def furnished(here: Site) -> Site:
    """Two environments, which have one distribution in common."""
    put_wheel(here.wheels, "first", first___core__py="value = 1\n" * 3000, first___data__bin=os.urandom(300_000))
    put_wheel(here.wheels, "second", second___core__py="value = 2\n")
    here.place("one").session(["first"])
    here.place("two").session(["first", "second"])
    return here


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_option(here: Site, name: str) -> None:
    said = say(here, name, "--help")
    assert "--json" in said
    assert said.startswith(f"usage: linkenv {name}")


def test_script_and_module_are_the_same(here: Site) -> None:
    script = Path(sys.executable).with_name("linkenv")
    assert script.exists(), "the project is not installed with its console script"
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == say(here, "--version")


_WRONG: Final[tuple[tuple[str, ...], ...]] = (
    (),
    ("nothing",),
    ("prune", "--older-than", "soon"),
    ("prune", "--max-size", "x"),
    ("prune", "--max-size", "5"),
    ("clean",),
    ("run",),
)


def test_wrong_usage_is_two(furnished: Site) -> None:
    for arguments in _WRONG:
        linkenv(furnished, *arguments, code=2)


def test_what_stands_in_the_way_is_no_lack_of_space(here: Site) -> None:
    (here.project / "file").touch()
    found = answer(here, "create", str(here.project / "file/env"), "--python", str(here.interpreter), code=1)
    assert found["error"]["kind"] == "EnvError"
    assert "Something else stands there" in found["error"]["remedy"]


def test_errors_name_their_remedy(here: Site, tmp_path: Path) -> None:
    found = answer(here, "du", "--store", str(tmp_path / "nowhere"), code=1)
    assert found["error"]["kind"] == "StoreError"
    assert found["error"]["remedy"]
    assert not (tmp_path / "nowhere").exists()


def test_info_says_where_settings_come_from(furnished: Site) -> None:
    (furnished.project / "pyproject.toml").write_text("[tool.linkenv]\nresolution-age = 5\n")
    found = answer(furnished, "info")
    assert found["store"]["path"] == str(furnished.store)
    assert found["store"]["environments"] == 2
    assert found["here"]["link_mode"] == "hardlink"
    assert found["settings"]["store"]["from"] == "LINKENV_STORE"
    assert found["settings"]["resolution_age"] == {"value": 5.0, "from": str(furnished.project / "pyproject.toml")}
    assert found["settings"]["offline"]["from"] == "default"
    assert not list(furnished.project.glob(".linkenv-probe*"))


def test_envs_tells_intact_from_edited(furnished: Site) -> None:
    one, two = furnished.place("one"), furnished.place("two")
    states = {entry["path"]: entry["state"] for entry in answer(furnished, "envs")["environments"]}
    assert states == {one.prefix: "intact", two.prefix: "intact"}
    (two.packages / "second" / "core.py").unlink()
    with (one.packages / "first" / "core.py").open("a") as stream:
        stream.write("edited = True\n")
    states = {entry["path"]: entry["state"] for entry in answer(furnished, "envs")["environments"]}
    assert states == {one.prefix: "damaged", two.prefix: "damaged"}  # the edit reaches both: that is what links are


def test_clean_removes_what_was_named(furnished: Site) -> None:
    one, two = furnished.place("one"), furnished.place("two")
    assert answer(furnished, "clean", "--dry-run", one.prefix)["removed"] == [one.prefix]
    assert Path(one.prefix).exists()
    assert answer(furnished, "clean", "--older-than", "1h")["removed"] == []
    assert answer(furnished, "clean", one.prefix)["removed"] == [one.prefix]
    assert sorted(os.listdir(os.path.dirname(one.prefix))) == ["two"]
    assert [entry["path"] for entry in answer(furnished, "envs")["environments"]] == [two.prefix]
    assert answer(furnished, "clean", str(furnished.project))["removed"] == [two.prefix]
    assert answer(furnished, "clean", two.prefix, code=1)["error"]["path"] == two.prefix


def test_du_counts_what_is_shared(furnished: Site) -> None:
    one, two = furnished.place("one"), furnished.place("two")
    (found,) = answer(furnished, "du", "--packages", two.prefix)["environments"]
    assert found["shared_with_store_bytes"] > 300_000
    assert found["own_bytes"] < found["disk_bytes"] < found["apparent_bytes"] * 2
    assert [entry["path"] for entry in found["shared_with"]] == [one.prefix]
    assert {entry["name"] for entry in found["packages"]} >= {"first", "second", "pip"}
    private = Path(two.prefix, "private")
    private.write_bytes(os.urandom(1_000_000))
    (again,) = answer(furnished, "du", two.prefix)["environments"]
    assert again["own_bytes"] - found["own_bytes"] == private.stat().st_blocks * 512


def test_du_adds_up(furnished: Site) -> None:
    found = answer(furnished, "du")
    assert found["store_bytes"] == sum(found["kinds"].values())
    assert found["total_bytes"] == found["store_bytes"] + found["added_bytes"]
    assert found["kinds"]["objects"] > 300_000
    assert 0 < found["added_bytes"] < sum(entry["own_bytes"] for entry in found["environments"]) + 4096
    one = furnished.place("one")
    assert "added by 2 environments" in say(furnished, "du")
    answer(furnished, "clean", str(furnished.project))
    assert "No environment is known to use it; the store itself takes" in say(furnished, "du")
    assert not Path(one.prefix).exists()


def test_explain_names_wheel_and_object(furnished: Site) -> None:
    two = furnished.place("two")
    found = answer(furnished, "explain", two.prefix, "second/core.py")
    assert (found["wheel"], found["mode"], found["state"]) == ("second 1.0", "hardlink", "as linked")
    assert os.path.samefile(found["object"], two.packages / "second" / "core.py")
    assert "written" in answer(furnished, "explain", two.prefix, "second-1.0.dist-info/RECORD")["mode"]
    assert answer(furnished, "explain", two.prefix, "bin/activate")["origin"].startswith("of the bare environment")
    Path(two.packages, "new.py").touch()
    assert answer(furnished, "explain", two.prefix, "new.py", code=1)["origin"] == "unknown"
    linkenv(furnished, "explain", two.prefix, "missing.py", code=1)


def test_create_install_and_run(furnished: Site) -> None:
    python = str(furnished.interpreter)
    prefix = str(furnished.project / "made")
    assert answer(furnished, "create", "--python", python, "--with", "first", prefix)["installed"] == [["first", "1.0"]]
    assert answer(furnished, "install", prefix, "--", "second")["installed"] == [["second", "1.0"]]
    done = subprocess.run([f"{prefix}/bin/python", "-c", "import first.core, second.core"], check=False)
    assert done.returncode == 0
    linkenv(furnished, "install", str(furnished.project / "nothing"), "--", "second", code=1)
    foreign = furnished.project / "foreign"
    foreign.mkdir()
    (foreign / "precious").touch()
    linkenv(furnished, "create", "--python", python, str(foreign), code=1)
    assert (foreign / "precious").exists()


def test_run_leaves_nothing(furnished: Site) -> None:
    code = "import second.core, sys; print(sys.prefix); sys.exit(7)"
    done = linkenv(
        furnished, "run", "--python", str(furnished.interpreter), "--with", "second", "--", "python", "-c", code, code=7
    )
    prefix = Path(done.stdout.strip())
    assert prefix.parent == furnished.store / "throwaway"
    assert not prefix.exists()
    deadline = time.monotonic() + 300  # work of low priority, on a busy machine
    while list(prefix.parent.iterdir()):  # upkeep is removing it
        assert time.monotonic() < deadline
        time.sleep(0.05)
    linkenv(furnished, "run", "--python", str(furnished.interpreter), "--", "no-such-program", code=1)
    linkenv(furnished, "run", "--python", str(furnished.interpreter), "--with", "no-such-thing", "--", "python", code=1)


def test_interrupt_is_130(furnished: Site) -> None:
    # Whoever runs the tests may have switched the signal off, which programs inherit.
    code = (
        "import signal, time; signal.signal(2, signal.default_int_handler); print('ready', flush=True); time.sleep(60)"
    )
    python = str(furnished.interpreter)
    process = start(furnished, "run", "--python", python, "--", "python", "-c", code)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    # As a terminal does: the whole group hears it. Here the program alone does, and its code is passed on.
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not [name for name in os.listdir(furnished.store / "throwaway") if not name.startswith(".")]


def test_doctor_finds_nothing_wrong_and_then_something(furnished: Site) -> None:
    checks = {check["name"]: check for check in answer(furnished, "doctor")["checks"]}
    assert checks["links"]["severity"] == "ok"
    assert checks["same filesystem"]["severity"] == "ok"
    (furnished.store / "linkenv-store.json").write_text('{"format": 99}')
    checks = {check["name"]: check for check in answer(furnished, "doctor", code=1)["checks"]}
    assert checks["store"]["severity"] == "error"
    assert "Upgrade" in checks["store"]["remedy"]


def test_doctor_names_a_path_that_virtualenv_has_to_serve(furnished: Site) -> None:
    long = furnished.project / ("long" * 30)
    long.mkdir()
    checks = {check["name"]: check for check in answer(furnished, "doctor", str(long))["checks"]}
    assert checks["path"]["severity"] == "warning"
    checks = {check["name"]: check for check in answer(furnished, "doctor", "/tmp")["checks"]}
    assert checks["path"]["severity"] == "ok"


def test_doctor_names_a_switched_off_hook(furnished: Site) -> None:
    said = linkenv(furnished, "doctor", LINKENV_NOX_HOOK="0").stdout
    assert "LINKENV_NOX_HOOK=0" in said


@pytest.mark.parametrize("odd", ["", " with a space"])
def test_modules_in_the_current_directory_are_not_run(here: Site, odd: str) -> None:
    """Where a place has a space in it, virtualenv is started; pip is started in any case."""
    put_wheel(here.wheels, "first", first___core__py="value = 1\n")
    for name in ("json", "virtualenv", "pip", "filelock", "runpy"):
        (here.project / f"{name}.py").write_text(f"open('marker', 'a').write('{name} ')\nraise SystemExit(1)\n")
    place = str(here.project / f"env{odd}")
    script = Path(sys.executable).with_name("linkenv")
    done = subprocess.run(
        [script, "create", place, "--python", here.interpreter, "--with", "first"],
        cwd=here.project,
        env={**here.environ, "LINKENV_STORE": str(here.store)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (here.project / "marker").exists(), (here.project / "marker").read_text()
    assert list(Path(place).glob("lib/*/site-packages/first/core.py"))
