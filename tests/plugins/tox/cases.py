"""What users do with tox, as calls of it, one after the other on the same directory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.parity.wheels import write_wheel
from tests.plugins.tox.tool import Run, ini

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CASES", "Case"]


@dataclass(frozen=True, slots=True)
class Case:
    """Several calls of tox.

    Args:
        runs: the calls.
        codes: exit code of each.
        says: text that the last one's output holds: so that the case is what its name says.
    """

    runs: tuple[Run, ...]
    codes: tuple[int, ...]
    says: str


def _packaged(env: str, more: str = "") -> str:
    return ini(f'{env}\ncommands = python -c "import demo; print(demo.__file__)"', tox="", more=more)


def _stray(root: Path) -> None:
    (next(root.glob(".tox/py/lib/python*/site-packages")) / "stray.py").write_text("")


def _touch(root: Path) -> None:
    (root / "demo.py").write_text("import needy\nNEW = 1\n\n\ndef main():\n    print('changed')\n")


def _prebuild(root: Path) -> None:
    (root / "built").mkdir(exist_ok=True)
    write_wheel(root / "built", "demo", "1.0", {"demo.py": b"import needy\n"}, requires=("needy",))


def _write_lock(root: Path) -> None:
    (root / "lock").mkdir(exist_ok=True)
    digest = hashlib.sha256((root / "wheels" / "tiny-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    (root / "lock" / "pylock.toml").write_text(_LOCK.format(digest=digest))


_VERSION: Final = 'commands = python -c "import tiny; print(tiny.VERSION)"'
_TWO: Final = "[testenv:a]\nlabels = first\n[testenv:b]\nlabels = second"
_PLACES: Final = (
    "set_env = WHERE={env_site_packages_dir}\ncommands = "
    "python -c \"import os; print(os.environ['WHERE'], '{env_bin_dir}', '{env_python}', '{py_dot_ver}')\""
)
_FOUND: Final = "commands = python -c \"print('{env_site_packages_dir}', '{env_bin_dir}', '{py_dot_ver}')\""
_IMPORTED: Final = 'commands = python -c "import stray"'
_LOCK: Final = """\
lock-version = "1.0"
created-by = "tests"
[[packages]]
name = "tiny"
version = "1.0"
[[packages.wheels]]
name = "tiny-1.0-py3-none-any.whl"
path = "../wheels/tiny-1.0-py3-none-any.whl"
hashes = {{ sha256 = "{digest}" }}
"""
_SCRIPT: Final = """\
# /// script
# dependencies = ["tiny"]
# ///
import tiny
print("script", tiny.VERSION)
"""
_EXTERNAL: Final = (
    "[testenv:.pkg_external]\npackage_glob = {toxinidir}/built/*.whl\ncommands = python -c \"print('built')\""
)

CASES: Final = {
    "deps_added_and_removed": Case(
        (
            Run(config=ini(f"deps = tiny==1.0\n{_VERSION}")),
            Run(config=ini(f"deps =\n    tiny==1.0\n    needy\n{_VERSION}")),
            Run(),
            Run(config=ini(f"deps = tiny==2.0\n{_VERSION}")),
        ),
        (0, 0, 0, 0),
        "recreate env because requirements removed",
    ),
    "recreated": Case(
        (Run(config=ini(f"deps = tiny\n{_VERSION}")), Run(("run", "-r")), Run(("run", "-r"))),
        (0, 0, 0),
        "remove tox env folder",
    ),
    "recreated_fresh": Case(
        (Run(config=ini("deps = tiny")), Run(("run", "-r"), config=ini(f"deps = tiny\n{_IMPORTED}"), before=_stray)),
        (0, 1),
        "No module named 'stray'",
    ),
    "reused_as_it_is": Case(
        (Run(config=ini("deps = tiny")), Run(config=ini(f"deps = tiny\n{_IMPORTED}"), before=_stray)), (0, 0), "OK"
    ),
    "notest": Case((Run(("run", "--notest"), config=ini("deps = tiny")), Run()), (0, 0), "commands[0]"),
    "skip_pkg_install": Case(
        (Run(("run", "--skip-pkg-install"), config=ini("package = wheel", tox="")),),
        (0,),
        "skip building and installing the package",
    ),
    "skip_env_install": Case(
        (Run(("run", "--skip-env-install"), config=ini("package = wheel\ndeps = tiny", tox="")),),
        (0,),
        "skip installing dependencies and package",
    ),
    "package_only": Case((Run(("run", "--sdistonly"), config=_packaged("package = sdist")),), (0,), "build_sdist"),
    "result_json": Case(
        (Run(("run", "--result-json", "journal.json"), config=_packaged("package = wheel\ndeps = other")),), (0,), "OK"
    ),
    "result_json_again": Case(
        (
            Run(config=ini("deps = other")),
            Run(("run", "-r", "--result-json", "journal.json")),
            Run(("run", "--result-json", "journal.json")),
        ),
        (0, 0, 0),
        "OK",
    ),
    "devenv": Case(
        (Run(("devenv", "-e", "py", "venv"), config=ini("deps = other", tox="")),),
        (0,),
        "created development environment",
    ),
    "list": Case((Run(("list",), config=ini("description = what it is for")),), (0,), "what it is for"),
    "config": Case((Run(("config", "-e", "py"), config=ini("deps = tiny")),), (0,), "install_command"),
    "config_of_what_is_there": Case(
        (Run(config=ini("deps = tiny")), Run(("config", "-e", "py"))), (0, 0), "env_python"
    ),
    "substitutions": Case((Run(config=ini(_FOUND)), Run(("run", "-r"))), (0, 0), "site-packages"),
    "substitutions_in_variables": Case((Run(config=ini(_PLACES)), Run(("run", "-r"))), (0, 0), "site-packages"),
    "exec": Case((Run(("exec", "--", "python", "-c", "import tiny"), config=ini("deps = tiny")),), (0,), "OK"),
    "depends": Case(
        (
            Run(
                ("run", "-e", "b,a"),
                config=ini("deps = tiny", more=f"{_TWO}\ndepends = a"),
            ),
            Run(("depends",)),
        ),
        (0, 0),
        "Execution order: py, a, b",
    ),
    "package_wheel": Case((Run(config=_packaged("package = wheel")), Run(before=_touch)), (0, 0), "install_package>"),
    "package_sdist": Case((Run(config=_packaged("package = sdist")), Run(before=_touch)), (0, 0), "build_sdist"),
    "package_editable": Case(
        (Run(config=_packaged("package = editable")), Run(before=_touch)), (0, 0), "build_editable"
    ),
    "package_skip": Case((Run(config=ini("package = skip\ndeps = tiny", tox="")),), (0,), "OK"),
    "package_external": Case(
        (Run(config=_packaged("package = external", _EXTERNAL), before=_prebuild),), (0,), "built"
    ),
    "installpkg": Case(
        (
            Run(
                ("run", "--installpkg", "built/demo-1.0-py3-none-any.whl"),
                config=_packaged("package = wheel", "[testenv:.pkg_external]\n"),
                before=_prebuild,
            ),
        ),
        (0,),
        "OK",
    ),
    "extras": Case((Run(config=_packaged("package = wheel\nextras = extra")),), (0,), "other"),
    "dependency_groups": Case((Run(config=ini("dependency_groups = test")),), (0,), "other"),
    "requirement_and_constraint_files": Case(
        (
            Run(config=ini(f"deps =\n    -r requirements.txt\n    -c constraints.txt\n{_VERSION}")),
            Run(before=lambda root: (root / "constraints.txt").write_text("tiny<1.5\n")),
        ),
        (0, 0),
        "recreate env because changed constraint",
    ),
    "constraints": Case((Run(config=ini(f"deps = tiny\nconstraints = constraints.txt\n{_VERSION}")),), (0,), "1.0"),
    "constrain_package_deps": Case(
        (Run(config=_packaged("package = wheel\ndeps = tiny==2.0\nconstrain_package_deps = true")),),
        (1,),
        "ResolutionImpossible",
    ),
    "use_frozen_constraints": Case(
        (Run(config=_packaged("deps = tiny==1.0\nconstrain_package_deps = true\nuse_frozen_constraints = true")),),
        (0,),
        "OK",
    ),
    "pip_pre": Case((Run(config=ini(f"deps = tiny\npip_pre = true\n{_VERSION}")),), (0,), "3.0a1"),
    "pylock": Case(
        (Run(config=ini(f"pylock = lock/pylock.toml\n{_VERSION}"), before=_write_lock), Run(("run", "-r"))),
        (0, 0),
        "1.0",
    ),
    "script": Case(
        (
            Run(
                ("run", "-e", "s"),
                config=ini(more="[testenv:s]\nrunner = {runner}-pep-723\nscript = s.py\ncommands = python s.py"),
                before=lambda root: (root / "s.py").write_text(_SCRIPT),
            ),
        ),
        (0,),
        "script 2.0",
    ),
    "recreate_commands": Case(
        (
            Run(
                config=ini("deps = tiny\nrecreate_commands = python -c \"import tiny; print('before', tiny.VERSION)\"")
            ),
            Run(("run", "-r")),
        ),
        (0, 0),
        "before 2.0",
    ),
    "system_site_packages": Case(
        (Run(config=ini(f"deps = tiny\nsystem_site_packages = true\n{_VERSION}")), Run()), (0, 0), "2.0"
    ),
    "always_copy": Case((Run(config=ini(f"deps = tiny\nalways_copy = true\n{_VERSION}")),), (0,), "2.0"),
    "set_env_changes": Case(
        (
            Run(config=ini(f"deps = tiny\n{_VERSION}")),
            Run(config=ini(f"deps = tiny\nset_env = PIP_CONSTRAINT={{toxinidir}}/constraints.txt\n{_VERSION}")),
            Run(("run", "-r")),
        ),
        (0, 0, 0),
        "1.0",
    ),
    "missing_interpreter": Case(
        (Run(("run", "-e", "py27,py"), config=ini()),), (1,), "could not find python interpreter"
    ),
    "missing_interpreter_skipped": Case(
        (Run(("run", "-e", "py27,py"), config=ini(tox="skipsdist = true\nskip_missing_interpreters = true")),),
        (0,),
        "SKIP",
    ),
    "other_interpreter": Case((Run(("run", "-e", "py312"), config=ini("deps = tiny")),), (0,), "OK"),
    "unknown_requirement": Case((Run(config=ini("deps = unheard-of")), Run()), (1, 1), "No matching distribution"),
    "conflicting_requirements": Case((Run(config=ini("deps =\n    needy\n    tiny==2.0")),), (1,), "conflict"),
    "missing_requirements_file": Case((Run(config=ini("deps = -r missing.txt")),), (1,), "missing.txt"),
    "install_command": Case(
        (
            Run(
                config=ini(
                    f"deps = tiny\ninstall_command = python -m pip install --no-deps {{opts}} {{packages}}\n{_VERSION}"
                )
            ),
        ),
        (0,),
        "pip install --no-deps tiny",
    ),
    "ignored_failure": Case(
        (Run(config=ini('deps = tiny\ncommands = - python -c "raise SystemExit(3)"')),), (0,), "ignore"
    ),
    "failing_command": Case(
        (Run(config=ini('deps = tiny\ncommands = python -c "raise SystemExit(3)"')),), (3,), "exit 3"
    ),
    "external_program": Case((Run(config=ini("commands = ls")),), (1,), "not allowed"),
    "pip_in_commands": Case(
        (
            Run(
                config=ini(
                    "deps = tiny==1.0\ncommands =\n    python -m pip install -q tiny==2.0\n    pip uninstall -y tiny"
                )
            ),
        ),
        (0,),
        "Successfully uninstalled tiny-2.0",
    ),
}
