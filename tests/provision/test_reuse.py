"""Reusing resolutions: when pip is asked, when it is not, and what the user is told."""

from __future__ import annotations

import hashlib
import shutil
import time
from dataclasses import replace

import pytest

from nox_linkenv.errors import OfflineError
from tests.provision.tool import PipError, Site, put_wheel


@pytest.fixture
def two(here: Site) -> Site:
    """Wheels: tiny 1.0 and 2.0, and needy, which wants ``tiny<2``."""
    for version in ("1.0", "2.0"):
        put_wheel(
            here.wheels, "tiny", version, tiny__py=f"VERSION = {version!r}\n", **{f"only{version[0]}__py": "x = 1\n"}
        )
    from tests.support.wheels import make_wheel

    metadata = b"Metadata-Version: 2.1\nName: needy\nVersion: 1.0\nRequires-Dist: tiny<2\n"
    make_wheel(here.wheels, "needy", "1.0", {"needy.py": b"import tiny\n"}, metadata=metadata)
    return here


def test_the_second_time_pip_is_not_asked(two: Site) -> None:
    place = two.place()
    first = place.session(["tiny"])
    assert first.messages == ["asked pip: this request is new"]
    second = place.session(["tiny"])
    assert second.calls == []
    assert second.messages[0].startswith("reused the resolution of ")
    assert place.run("import tiny; print(tiny.VERSION)") == "2.0"


def test_a_fresh_clone_with_wheels_in_it_asks_nobody(two: Site) -> None:
    """The files have other times and inodes, and the same content; what is no archive is nothing to pip."""
    place = two.place()
    place.session(["needy"])
    two.wheels.rename(two.root / "before")
    shutil.copytree(two.root / "before", two.wheels, copy_function=shutil.copyfile)
    (two.wheels / "README.md").touch()
    session = place.session(["needy"])
    assert session.calls == [], session.messages
    put_wheel(two.wheels, "tiny", "1.0", tiny__py="VERSION = 'new'\n")
    assert place.session(["needy"]).messages == [f"asked pip: find-links {two.wheels}/ changed"]
    assert place.run("import tiny; print(tiny.VERSION)") == "new"


def test_the_age_is_told(two: Site) -> None:
    place, began = two.place(), time.time()
    place.session(["tiny"], now=began)
    patient = replace(two.settings, resolution_age=10_000.0)
    for seconds, said in ((5, "5 s ago"), (180, "3 min ago"), (599, "10 min ago"), (7200, "2 h ago")):
        again = place.session(["tiny"], now=began + seconds, settings=patient)
        assert again.messages == [f"reused the resolution of {said}"]


def test_an_old_resolution_and_one_from_the_future_are_not_reused(two: Site) -> None:
    place, now = two.place(), time.time()
    asking = replace(two.settings, renew=False)
    place.session(["tiny"], now=now)
    for seconds in (600, 86_400, -5):
        now += seconds  # each answer is as old as the one before it
        again = place.session(["tiny"], now=now, settings=asking)
        assert again.calls[:1] == ["ask"], seconds
        assert again.messages == ["asked pip: the resolution is too old"], seconds


@pytest.mark.parametrize("seconds", [600, 86_400, -5])
def test_where_no_index_is_read_an_old_resolution_is_renewed_without_asking_anybody(two: Site, seconds: int) -> None:
    place, began = two.place(), time.time()
    place.session(["tiny"], now=began)
    again = place.session(["tiny"], now=began + seconds)
    assert again.calls == []
    assert again.messages[0].startswith("renewed the resolution of ")
    put_wheel(two.wheels, "tiny", "3.0", tiny__py="VERSION = '3.0'\n")
    assert place.session(["tiny"], now=began + 2 * seconds).calls == ["ask"]


def test_an_age_of_zero_always_asks(two: Site) -> None:
    place, now = two.place(), time.time()
    never = replace(two.settings, resolution_age=0.0)
    for _ in range(2):
        assert place.session(["tiny"], now=now, settings=never).calls == ["ask"]


def test_pinned_and_hashed_never_ages(two: Site) -> None:
    place, began = two.place(), time.time()
    digest = hashlib.sha256((two.wheels / "tiny-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    (two.project / "lock.txt").write_text(f"tiny==1.0 --hash=sha256:{digest}\n")
    place.session(["-r", "lock.txt"], now=began)
    again = place.session(["-r", "lock.txt"], now=began + 365 * 86_400)
    assert again.calls == []
    assert again.messages == ["reused the resolution of 8760 h ago"]


def test_pinned_without_hashes_ages(two: Site) -> None:
    place, began = two.place(), time.time()
    place.session(["tiny==1.0"], now=began)
    asking = replace(two.settings, renew=False)
    assert place.session(["tiny==1.0"], now=began + 601, settings=asking).calls == ["ask"]


def test_offline_takes_any_age(two: Site) -> None:
    place, began = two.place(), time.time()
    place.session(["tiny"], now=began)
    again = place.session(["tiny"], now=began + 10**8, settings=replace(two.settings, offline=True))
    assert again.calls == []
    assert place.run("import tiny; print(tiny.VERSION)") == "2.0"


def test_offline_without_a_resolution_fails_clearly(two: Site) -> None:
    place = two.place()
    environment = place.environment(replace(two.settings, offline=True))
    place.create(environment)
    with pytest.raises(OfflineError, match=r"no resolution of this request is remembered.*LINKENV_OFFLINE"):
        place.install(environment, "tiny")


def test_a_changed_requirement_file_is_named(two: Site) -> None:
    place, file = two.place(), two.project / "requirements.txt"
    file.write_text("tiny==1.0\n")
    place.session(["-r", "requirements.txt"])
    file.write_text("tiny==2.0\n")
    again = place.session(["-r", "requirements.txt"])
    assert again.messages == ["asked pip: requirements.txt changed"]
    assert place.run("import tiny; print(tiny.VERSION)") == "2.0"
    file.write_text("tiny==1.0\n")
    back = place.session(["-r", "requirements.txt"])
    assert back.messages[0].startswith("reused the resolution of ")
    assert place.run("import tiny; print(tiny.VERSION)") == "1.0"


def test_a_changed_constraint_file_is_named(two: Site) -> None:
    place, file = two.place(), two.project / "constraints.txt"
    file.write_text("tiny<2\n")
    place.session(["-c", "constraints.txt", "tiny"])
    file.write_text("tiny\n")
    assert place.session(["-c", "constraints.txt", "tiny"]).messages == ["asked pip: constraints.txt changed"]
    assert place.run("import tiny; print(tiny.VERSION)") == "2.0"


def test_new_wheels_in_a_local_index_are_seen(two: Site) -> None:
    place = two.place()
    place.session(["tiny"])
    put_wheel(two.wheels, "tiny", "3.0", tiny__py="VERSION = '3.0'\n")
    again = place.session(["tiny"])
    assert again.calls == ["ask"]
    assert "changed" in again.messages[0]
    assert place.run("import tiny; print(tiny.VERSION)") == "3.0"


def test_a_wheel_replaced_under_its_name_is_seen(two: Site) -> None:
    place = two.place()
    place.session(["tiny"])
    put_wheel(two.wheels, "tiny", "2.0", tiny__py="VERSION = 'new'\n")
    place.session(["tiny"])
    assert place.run("import tiny; print(tiny.VERSION)") == "new"


def test_pips_configuration_is_part_of_the_request(two: Site) -> None:
    place, config = two.place(), two.root / "pip.conf"
    two.environ["PIP_CONFIG_FILE"] = str(config)
    config.write_text("[global]\ntimeout = 5\n")
    place.session(["tiny"])
    assert place.session(["tiny"]).calls == []
    config.write_text(f"[install]\nconstraint = {two.project}/c.txt\n")
    (two.project / "c.txt").write_text("tiny<2\n")
    assert place.session(["tiny"]).calls == ["ask"]
    assert place.run("import tiny; print(tiny.VERSION)") == "1.0"
    (two.project / "c.txt").write_text("tiny\n")  # named by the configuration alone
    assert place.session(["tiny"]).calls == ["ask"]
    assert place.run("import tiny; print(tiny.VERSION)") == "2.0"


def test_pips_variables_are_part_of_the_request(two: Site) -> None:
    place = two.place()
    place.session(["tiny"])
    two.environ["PIP_PRE"] = "1"
    again = place.session(["tiny"])
    assert again.messages == ["asked pip: PIP_PRE appeared"]
    del two.environ["PIP_PRE"]
    assert place.session(["tiny"]).calls == []


def test_each_install_of_a_session_is_its_own_request(two: Site) -> None:
    place = two.place()
    first = place.session(["tiny==1.0"], ["tiny"], ["-U", "tiny"])
    assert first.messages[1:] == [
        "asked pip: this request is new; nothing to install",
        "asked pip: this request is new",
    ]
    second = place.session(["tiny==1.0"], ["tiny"], ["-U", "tiny"])
    assert second.calls == []
    assert second.messages[1].endswith(": all is there")
    alone = place.session(["tiny"])  # the same words, but nothing is installed before
    assert alone.messages == ["asked pip: what is installed changed"]
    assert place.run("import tiny; print(tiny.VERSION)") == "2.0"


def _site_names(place_packages: object) -> set[str]:
    from pathlib import Path

    assert isinstance(place_packages, Path)
    return {path.name for path in place_packages.iterdir() if path.name.startswith(("tiny", "only", "needy"))}


@pytest.mark.parametrize("asked", ["cold", "warm"])
def test_upgrades_and_downgrades_leave_nothing_behind(two: Site, asked: str) -> None:
    place = two.place()
    steps = (["tiny==1.0"], ["tiny==2.0"])
    back = (["needy"],)  # wants tiny<2
    done = place.session(*steps)
    if asked == "warm":
        done = place.session(*steps)
    assert (done.calls == []) == (asked == "warm")
    assert _site_names(place.packages) == {"tiny.py", "only2.py", "tiny-2.0.dist-info"}
    done = place.session(*steps, *back)
    if asked == "warm":
        done = place.session(*steps, *back)
    assert (done.calls == []) == (asked == "warm")
    assert _site_names(place.packages) == {
        "tiny.py",
        "only1.py",
        "tiny-1.0.dist-info",
        "needy.py",
        "needy-1.0.dist-info",
    }
    assert place.run("import needy; print(needy.tiny.VERSION)") == "1.0"


def test_what_the_session_uninstalled_is_part_of_the_next_request(two: Site) -> None:
    place = two.place()
    for _ in range(2):
        environment = place.environment()
        place.create(environment)
        place.install(environment, "tiny")
        place.run(
            "import subprocess, sys; subprocess.check_call([sys.executable, '-m', 'pip', 'uninstall', '-qy', 'tiny'])"
        )
        outcome, _calls = place.install(environment, "tiny")
        assert outcome.installed == (("tiny", "2.0"),)
        assert place.run("import tiny; print(tiny.VERSION)") == "2.0"
        place.end(environment)


def test_a_failure_of_pip_is_not_remembered(two: Site) -> None:
    place = two.place()
    for _ in range(2):
        with pytest.raises(PipError, match="unknown-thing"):
            place.session(["unknown-thing"])
    put_wheel(two.wheels, "unknown-thing", "1.0", unknown__py="")
    assert place.session(["unknown-thing"]).outcomes[0].installed == (("unknown-thing", "1.0"),)


def test_another_environment_may_reuse_the_answer(two: Site) -> None:
    two.place("one").session(["tiny"])
    other = two.place("two").session(["tiny"])
    assert other.calls == []
    assert other.messages[0].startswith("reused the resolution of ")


@pytest.mark.network
def test_an_index_is_not_asked_again(here: Site) -> None:
    del here.environ["PIP_NO_INDEX"]
    place = here.place()
    first = place.session(["idna==3.10", "iniconfig==2.0.0"])
    assert first.calls == ["ask"]
    again = place.session(["idna==3.10", "iniconfig==2.0.0"])
    assert again.calls == []
    assert place.run("import idna, iniconfig; print(idna.encode('bücher.example').decode())") == "xn--bcher-kva.example"
