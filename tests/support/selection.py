"""What is slow beside what is marked so where it stands: whole modules, and cases that vary what another case shows.

The usual suite has one case of each kind; the heavy suite has all of them, and begins elsewhere each day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["is_heavy", "unknown"]

#: Modules whose tests start dozens of whole nox, tox or pip processes each.
_MODULES: Final = (
    "tests/parity/test_big.py",
    "tests/projects/test_backends.py",
    "tests/projects/test_reuse.py",
    "tests/plugins/tox/test_behaviours.py",
    "tests/plugins/tox/test_parity.py",
    "tests/plugins/tox/test_together.py",
)
#: Cases by their test. What is left of the test in the usual suite takes the same way through the code.
_REPEATS: Final = {
    "tests/cli/test_disk.py::test_reflinks_are_counted_once": ("ext4", "btrfs"),
    "tests/cli/test_disk.py::test_totals_are_those_of_df": ("ext4", "xfs"),
    "tests/linking/modes/test_contract.py::test_contract": ("ext4-clone", "bind-auto", "exfat-auto"),
    "tests/maintenance/test_damage.py::test_all_at_once": ("mistyped", "pipe", "given_away"),
    "tests/maintenance/test_together.py::test_nobody_is_disturbed": ("16",),
    "tests/parity/test_awkward.py::test_awkward_parity": ("index-3.13",),
    "tests/parity/test_odd_wheels.py::test_left_to_pip": ("other-data", "script-module"),
    "tests/plugins/nox/test_options.py::test_switching_backends_under_reuse": ("newest--virtualenv",),
    "tests/plugins/nox/test_options.py::test_what_is_no_virtualenv_is_not_reused": ("newest-_make_conda",),
    "tests/projects/test_forms.py::test_a_file_that_names_it_asks_nobody_in_a_fresh_checkout": ("flit-",),
    "tests/projects/test_forms.py::test_as_pip_and_then_without_it": ("-r|links.txt|.", "-r|editable.txt"),
    "tests/projects/test_forms.py::test_files_on_a_server_beside_it": ("-r|{url}/files/upper.txt|.",),
    "tests/projects/test_forms.py::test_what_an_sdist_beside_is_built_with_is_looked_for_as_pip_looks": (
        "-r|links.txt",
        "-r|pre.txt",
    ),
    "tests/projects/test_generated.py::test_a_fresh_clone_is_built_once": (
        "hatch-vcs-editable",
        "setuptools-scm-regular",
    ),
    "tests/projects/test_generated.py::test_only_what_would_be_written_again_is_kept": (
        "what stood there",
        "no text",
        "when",
        "a link",
        "by another program",
    ),
    "tests/projects/test_looked_at.py::test_a_new_file_with_setuptools": ("wheel",),
    "tests/projects/test_never_stale.py::test_directories": (
        "variable among all",
        "variable of a child",
        "variable of a child without site",
        "variable of a program",
        "variable that is there",
        "program of a shell",
        "program of a script",
        "program that is there",
        "file at home",
        "file above",
        "file of a program",
        "file in a directory for a program",
        "file that is there",
    ),
    "tests/projects/test_never_stale.py::test_what_pip_builds": (
        "path-variable",
        "path-file that is there",
        "find-links-variable",
        "commit-program",
    ),
    "tests/projects/test_products.py::test_the_path_of_the_environment": (
        "directory-sys.executable-bytes",
        "directory-__import__('sysconfig').get_path('data') + '/bin/python'-text",
    ),
    "tests/projects/test_references.py::test_metadata_that_name_something_here": (
        "wheel-False-branch",
        "directory-False-branch",
        "editable-True-directory",
    ),
    "tests/projects/test_standins.py::test_paths_of_every_form": ("arguments2", "arguments4"),
    "tests/transfer/test_transfer.py::test_memory_does_not_grow_with_what_is_exported": (),
}
_NAMES: Final = {
    name for test, cases in _REPEATS.items() for name in ([f"{test}[{case}]" for case in cases] if cases else [test])
}


def is_heavy(name: str) -> bool:
    """Tell whether a test is in the heavy suite by its *name* alone, which is that of pytest (its node id).

    The oldest nox repeats what the newest one shows.
    """
    return name.startswith(_MODULES) or name in _NAMES or "[oldest" in name


def unknown(collected: Collection[str]) -> list[str]:
    """Return the names here that belong to a test of which others were *collected*: they have been renamed."""
    tests = {name.partition("[")[0] for name in collected}
    return sorted(name for name in _NAMES.difference(collected) if name.partition("[")[0] in tests)
