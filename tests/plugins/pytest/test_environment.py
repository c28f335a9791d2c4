"""The environment object and the fixtures that make it, in suites run in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugins.pytest.tool import Suite


def test_environment_has_what_it_says(suite: Suite) -> None:
    suite.write("""
        import importlib.metadata, pathlib, sys
        import pytest
        from packaging.version import Version

        def test_everything(linked_venv):
            assert linked_venv.path.is_absolute() and (linked_venv.path / "pyvenv.cfg").is_file()
            assert linked_venv.python.parent == linked_venv.bin and linked_venv.bin.parent == linked_venv.path
            ask = "import sys, sysconfig; print(sys.prefix, sysconfig.get_path('purelib'), *sys.version_info[:2])"
            done = linked_venv.run("python", "-c", ask)
            assert done.stdout.split() == [
                str(linked_venv.path), str(linked_venv.site_packages), *map(str, sys.version_info[:2])
            ]
            assert linked_venv.get_version("basket", raises=False) is None
            with pytest.raises(importlib.metadata.PackageNotFoundError):
                linked_venv.get_version("basket")
            linked_venv.install("basket<2", "trolley")
            assert linked_venv.get_version("Basket") == Version("1.0")
            assert sorted(linked_venv.freeze()) == ["basket==1.0", "trolley==1.0"]
            assert linked_venv.run("trolley").stdout.strip() == str(linked_venv.path)
            linked_venv.install("basket", upgrade=True)
            assert linked_venv.get_version("basket") == Version("2.0")
            linked_venv.install("basket==1.0", extra_args=["--no-deps"])
            assert linked_venv.run("python", "-c", "import basket; print(basket.VERSION)").stdout == "1.0\\n"
            linked_venv.uninstall("basket")
            assert linked_venv.freeze() == ["trolley==1.0"]
            with pytest.raises(importlib.metadata.PackageNotFoundError):
                linked_venv.uninstall("trolley", "basket")
            assert linked_venv.freeze() == ["trolley==1.0"]
    """)
    suite.run("-q").assert_outcomes(passed=1)


def test_commands(suite: Suite) -> None:
    suite.write("""
        import os, subprocess, sys
        import pytest
        from nox_linkenv.plugins.pytest import CommandFailedError

        def test_variables(linked_venv, monkeypatch, tmp_path):
            monkeypatch.setenv("PYTHONPATH", "/nowhere")
            monkeypatch.setenv("GONE", "1")
            code = "import os; get = os.environ.get; print(get('GONE'), get('A'), get('PYTHONPATH'), os.getcwd())"
            done = linked_venv.run("python", "-c", code, env={"GONE": None, "A": "b"}, cwd=tmp_path)
            assert done.stdout.split() == ["None", "b", "None", str(tmp_path)]
            assert linked_venv.run("python", "-c", "print(input())", input="hello").stdout == "hello\\n"
            code = "import os; print(os.environ['VIRTUAL_ENV'])"
            assert linked_venv.run("python", "-c", code).stdout.strip() == str(linked_venv.path)

        def test_failures(linked_venv):
            assert linked_venv.run("python", "-c", "raise SystemExit(3)", check=False).returncode == 3
            with pytest.raises(CommandFailedError, match="exit code 3") as raised:
                linked_venv.run("python", "-c", "print('out'); raise SystemExit(3)")
            assert isinstance(raised.value, subprocess.CalledProcessError) and raised.value.stdout == "out\\n"
            with pytest.raises(FileNotFoundError, match="no-such-program"):
                linked_venv.run("no-such-program")
            with pytest.raises(subprocess.TimeoutExpired):
                linked_venv.run("python", "-c", "import time; time.sleep(60)", timeout=0.5)
            with pytest.raises(CommandFailedError, match="no-such-distribution"):
                linked_venv.install("no-such-distribution")
            with pytest.raises(TypeError, match="sequence"):
                linked_venv("basket")
    """)
    suite.run("-q").assert_outcomes(passed=2)


def test_failed_command_shows_its_output(suite: Suite) -> None:
    suite.write("""
        def test_it(linked_venv):
            linked_venv.run("python", "-c", "import sys; print('to out'); sys.exit('to err')")
    """)
    result = suite.run("-q")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *ended with exit code 1", "*Captured stdout call*", "to out", "*Captured stderr call*", "to err"]
    )
    result.stdout.no_fnmatch_line("*in run_command*")


def test_environment_is_made_when_it_is_used(suite: Suite) -> None:
    suite.write("""
        def test_unused(linked_venv):
            assert "not made" in repr(linked_venv)

        def test_calls(linked_venv):
            old, new = linked_venv(["basket<2"]), linked_venv(["basket"])
            assert "not made" in repr(linked_venv)
            assert old.path != new.path
            assert (str(old.get_version("basket")), str(new.get_version("basket"))) == ("1.0", "2.0")
            assert linked_venv.get_version("basket", raises=False) is None
    """)
    result = suite.run("--linkenv-report")
    result.assert_outcomes(passed=2)
    result.stdout.re_match_lines([r"create +3 "])


def test_marker(suite: Suite) -> None:
    suite.write("""
        import pytest

        pytestmark = pytest.mark.linked_venv(["basket<2"], system_packages=True)

        def test_module(linked_venv):
            assert str(linked_venv.get_version("basket")) == "1.0"
            assert "system-site-packages = true" in (linked_venv.path / "pyvenv.cfg").read_text()

        @pytest.mark.linked_venv(requirements=["basket"], system_packages=False)
        def test_function(linked_venv):
            assert str(linked_venv.get_version("basket")) == "2.0"
            assert "system-site-packages = false" in (linked_venv.path / "pyvenv.cfg").read_text()

        @pytest.mark.linked_venv(extra_args=["--prompt", "shop"], system_packages=False)
        def test_what_only_virtualenv_can_make(linked_venv):
            assert "shop" in (linked_venv.bin / "activate").read_text()
            assert linked_venv.run("python", "-c", "import basket; print(basket.VERSION)").stdout == "1.0\\n"

        @pytest.mark.linked_venv(requirement=["basket"])
        def test_wrong(linked_venv):
            pass

        @pytest.mark.linked_venv(python="3.99")
        def test_missing(linked_venv):
            linked_venv.path
    """)
    result = suite.run("-q")
    result.assert_outcomes(passed=3, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*marker linked_venv: *requirement*", "*no Python 3.99*"])
    assert "virtualenv/run" not in result.stdout.str(), "where it was looked for is nobody's business"
    assert "cached_property" not in result.stdout.str()


def test_interpreters(suite: Suite, interpreters: dict[str, object]) -> None:
    versions = list(interpreters)[-2:]
    if len(versions) < 2:
        pytest.skip("needs two interpreters")
    suite.write(f"""
        import pytest

        def test_each(linked_python, linked_venv):
            assert linked_venv.run("python", "-V").stdout.startswith("Python " + linked_python)
            assert linked_venv().run("python", "-V").stdout.startswith("Python " + linked_python)

        @pytest.mark.parametrize("linked_python", ["{versions[0]}"], indirect=True)
        def test_chosen(linked_python, linked_venv):
            assert linked_python == "{versions[0]}"

        def test_first(linked_venv):
            assert linked_venv.run("python", "-V").stdout.startswith("Python {versions[0]}")
            other = linked_venv(python="{versions[1]}")
            assert other.run("python", "-V").stdout.startswith("Python {versions[1]}")
    """)
    (suite.root / "pytest.ini").write_text(f"[pytest]\nlinkenv_python = {' '.join(versions)} 3.99\n")
    result = suite.run("-q", "-rs")
    result.assert_outcomes(passed=4, skipped=1)
    result.stdout.fnmatch_lines(["*SKIPPED*no Python 3.99*"])
    suite.run("-q", f"--linkenv-python={versions[0]}", "-k", "each or first").assert_outcomes(failed=0, passed=2)


def test_linked_python_without_a_choice_is_the_running_one(suite: Suite) -> None:
    suite.write("""
        import sys

        def test_it(linked_python, linked_venv):
            assert linked_python == "{}.{}".format(*sys.version_info)
    """)
    suite.run("-q").assert_outcomes(passed=1)


def test_session_environments(suite: Suite) -> None:
    suite.write("""
        import pytest

        @pytest.fixture(scope="module")
        def env(linked_venv_factory):
            return linked_venv_factory(["basket"])

        def test_one(env):
            (env.path / "mark").touch()

        def test_two(env, linked_venv):
            assert (env.path / "mark").exists() and env.path != linked_venv.path
    """)
    suite.run("-q").assert_outcomes(passed=2)
    assert suite.leftovers() == []


def test_no_environment_sees_what_another_test_has_done(suite: Suite) -> None:
    """Environments take over from those of finished tests: whatever was done to these must not show."""
    suite.write("""
        import os, pathlib
        import pytest

        def spoil_nothing(package): pass
        def spoil_add(package): (package / "deep" / "extra.py").write_text("")
        def spoil_remove(package): (package / "deep" / "data.txt").unlink()
        def spoil_edit(package):
            with open(package / "__init__.py", "a") as stream: stream.write("EDITED = 1\\n")
        def spoil_replace(package):
            (package / "__init__.py").unlink()
            (package / "__init__.py").write_text("REPLACED = 1\\n")
        def spoil_mode(package):
            (package / "deep").chmod(0o500)
        def spoil_directory(package):
            os.rename(package / "deep", package / "shallow")

        SPOILS = [value for name, value in sorted(globals().items()) if name.startswith("spoil_")]

        @pytest.mark.parametrize("spoil", [*SPOILS, spoil_nothing])
        @pytest.mark.linked_venv(["basket"])
        def test_it(linked_venv, spoil):
            package = linked_venv.site_packages / "basket"
            found = {str(path.relative_to(package)) for path in package.rglob("*") if path.suffix != ".pyc"}
            assert found - {"__pycache__", "deep/__pycache__"} == {
                "__init__.py", "deep", "deep/__init__.py", "deep/data.txt"
            }
            assert (package / "__init__.py").read_text() == "VERSION = '2.0'\\n"
            assert (package / "deep").stat().st_mode & 0o700 == 0o700
            outside = {path.name for path in linked_venv.path.iterdir()} - {".gitignore", "CACHEDIR.TAG", "lib64"}
            assert outside == {".linkenv", "bin", "lib", "pyvenv.cfg"} or outside == {
                ".linkenv", "bin", "include", "lib", "pyvenv.cfg"
            }
            spoil(package)
            (linked_venv.path / "extra").mkdir()
            (linked_venv.bin / "extra").touch()
            (linked_venv.site_packages / "extra.py").touch()
    """)
    result = suite.run("-q", "--linkenv-report")
    result.assert_outcomes(passed=8)
    assert suite.leftovers() == []


def test_an_edited_environment_is_told(suite: Suite) -> None:
    suite.write("""
        import pytest

        @pytest.mark.linked_venv(["basket==1.0"])
        def test_it(linked_venv):
            with open(linked_venv.site_packages / "basket" / "__init__.py", "a") as stream:
                stream.write("EDITED = 1\\n")

        @pytest.mark.linked_venv(["basket==1.0"])
        def test_next(linked_venv):
            assert "EDITED" not in (linked_venv.site_packages / "basket" / "__init__.py").read_text()
    """)
    result = suite.run("-q", "--linkenv-report")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*::test_it edited 1 installed files in place*basket/__init__.py*"])


def test_clone(suite: Suite) -> None:
    suite.write("""
        import base64, csv, hashlib, json

        def test_it(linked_venv):
            linked_venv.install("basket<2", "trolley")
            linked_venv.uninstall("basket")
            linked_venv.run("python", "-m", "pip", "install", "-q", "basket")  # not by way of this plugin
            mine = linked_venv.site_packages / "mine.py"
            mine.write_text(f"PATH = {str(linked_venv.path)!r}\\nNEAR = {str(linked_venv.path) + '1'!r}\\n")
            mine.chmod(0o600)
            (linked_venv.site_packages / "trolley.py").unlink()
            (linked_venv.site_packages / "trolley.py").symlink_to(mine)
            (linked_venv.path / "empty").mkdir()

            clone = linked_venv.clone()
            assert clone.path != linked_venv.path
            assert clone.freeze() == linked_venv.freeze() == ["basket==2.0", "trolley==1.0"]
            names = [
                {
                    str(path.relative_to(each.path))
                    for path in each.path.rglob("*")
                    if ".linkenv" not in path.parts and "__pycache__" not in path.parts
                }
                for each in (clone, linked_venv)
            ]
            assert names[0] == names[1]
            text = (clone.site_packages / "mine.py").read_text()
            assert text == f"PATH = {str(clone.path)!r}\\nNEAR = {str(linked_venv.path) + '1'!r}\\n"
            assert (clone.site_packages / "mine.py").stat().st_mode & 0o777 == 0o600
            assert (clone.site_packages / "trolley.py").readlink() == clone.site_packages / "mine.py"
            assert clone.run("python", "-c", "import sys; print(sys.prefix)").stdout.strip() == str(clone.path)
            assert clone.run("python", "-c", "import basket; print(basket.VERSION)").stdout == "2.0\\n"
            (script,) = clone.bin.glob("trolley")
            assert script.read_text().startswith(f"#!{clone.bin}/python")
            record = next(clone.site_packages.glob("trolley-*.dist-info")) / "RECORD"
            rows = {row[0]: row[1:] for row in csv.reader(record.read_text().splitlines())}
            digest = base64.urlsafe_b64encode(hashlib.sha256(script.read_bytes()).digest()).rstrip(b"=").decode()
            assert rows["../../../bin/trolley"] == [f"sha256={digest}", str(script.stat().st_size)]

            clone.install("basket<2", upgrade=True)
            clone.uninstall("trolley")
            assert (str(clone.get_version("basket")), str(linked_venv.get_version("basket"))) == ("1.0", "2.0")
            assert linked_venv.get_version("trolley")
    """)
    suite.run("-q").assert_outcomes(passed=1)
    assert suite.leftovers() == []
