"""What is slow beside what is marked so where it stands: whole modules, and tests that vary what another one shows.

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
#: Cases by their test. What is left of the test, or of its module, takes the same way through the code;
#: or it waits for long, or kills, as the heavy tests do.
_REPEATS: Final = {
    "tests/cli/test_ahead.py::test_the_second_one_need_not_ask": ("nox",),
    "tests/cli/test_cleanup.py::test_tox": ("success-expected1",),
    "tests/cli/test_disk.py::test_reflinks_are_counted_once": (
        "ext4",
        "btrfs",
    ),
    "tests/cli/test_disk.py::test_totals_are_those_of_df": (
        "ext4",
        "xfs",
    ),
    "tests/cli/test_progress.py::test_a_narrow_terminal": (),
    "tests/cli/test_progress.py::test_elsewhere_a_line_of_text_on_what_takes_long": (),
    "tests/cli/test_progress.py::test_the_command_line": ("arguments1",),
    "tests/cli/test_progress.py::test_tox": (),
    "tests/docs/test_archive_recipe.py::test_a_second_job_is_warm_without_a_network": (
        "recipe",
        "jenkins",
        "gitlab",
    ),
    "tests/env/test_skeleton.py::test_as_virtualenv": ("3.9",),
    "tests/env/test_skeleton.py::test_damaged_store_is_put_right": (
        "private-truncated",
        "private-lost",
    ),
    "tests/linking/modes/test_contract.py::test_contract": (
        "ext4-clone",
        "bind-auto",
        "exfat-auto",
        "subvolumes-auto",
        "tmpfs-auto",
    ),
    "tests/linking/modes/test_layers.py::test_read_only_store_is_below_the_users_own": ("symlink",),
    "tests/maintenance/test_damage.py::test_a_time_that_cannot_be_reckoned_with": (
        "inf",
        "-inf",
    ),
    "tests/maintenance/test_damage.py::test_all_at_once": (
        "mistyped",
        "pipe",
        "given_away",
        "flipped",
    ),
    "tests/maintenance/test_damaged_notes.py::test_a_time_that_is_none": ("inf",),
    "tests/maintenance/test_together.py::test_nobody_is_disturbed": ("16",),
    "tests/parity/test_awkward.py::test_awkward_parity": ("index-3.13",),
    "tests/parity/test_odd_wheels.py::test_left_to_pip": (
        "other-data",
        "script-module",
        "script-blank",
    ),
    "tests/plugins/nox/test_ahead.py::test_a_build_that_writes_into_the_project_is_not_made_ahead": (),
    "tests/plugins/nox/test_ahead.py::test_what_is_ahead_can_be_switched_off": (),
    "tests/plugins/nox/test_bad_input.py::test_as_pip_has_it": ("newest-needy tiny==2.0",),
    "tests/plugins/nox/test_bad_input.py::test_full_store": ("newest-64k",),
    "tests/plugins/nox/test_options.py::test_another_interpreter_under_reuse": ("newest-",),
    "tests/plugins/nox/test_options.py::test_switching_backends_under_reuse": ("newest--virtualenv",),
    "tests/plugins/nox/test_options.py::test_upgrade_and_downgrade_in_a_reused_environment": ("newest",),
    "tests/plugins/nox/test_options.py::test_what_is_no_virtualenv_is_not_reused": ("newest-_make_conda",),
    "tests/plugins/pytest/test_runs.py::test_without_other_plugins": (
        "capture",
        "tmpdir",
    ),
    "tests/plugins/tox/test_environment.py::test_interpreter_that_goes": (),
    "tests/plugins/tox/test_packages.py::test_a_package_that_is_the_same_asks_nobody": ("again0-wheel",),
    "tests/projects/test_checkouts.py::test_a_requirements_file_may_name_a_project_with_a_version_of_its_commits": (
        "hatch-vcs",
    ),
    "tests/projects/test_checkouts.py::test_a_second_checkout_builds_nothing_and_asks_nobody": ("flit -e .",),
    "tests/projects/test_early.py::test_pip_is_asked_during_the_build": (".-found0",),
    "tests/projects/test_early.py::test_what_is_not_declared_is_asked_after_the_build": (
        "declared1",
        "declared2",
        "declared4",
        "declared5",
    ),
    "tests/projects/test_early.py::test_what_the_build_says_counts": (
        "others",
        "more",
    ),
    "tests/projects/test_forms.py::test_a_file_that_names_it_asks_nobody_in_a_fresh_checkout": ("flit-",),
    "tests/projects/test_forms.py::test_a_project_in_a_file_is_never_stale": (),
    "tests/projects/test_forms.py::test_as_pip_and_then_without_it": (
        "-r|links.txt|.",
        "-r|editable.txt",
        "demo @ file://{root}/demo",
    ),
    "tests/projects/test_forms.py::test_files_on_a_server_beside_it": (
        "-r|{url}/files/upper.txt|.",
        "-c|{url}/files/upper.txt|-e|.",
    ),
    "tests/projects/test_forms.py::test_what_an_sdist_beside_is_built_with_is_looked_for_as_pip_looks": (
        "-r|links.txt",
        "-r|pre.txt",
    ),
    "tests/projects/test_generated.py::test_a_fresh_clone_is_built_once": (
        "hatch-vcs-editable",
        "setuptools-scm-regular",
        "hatch-vcs-regular",
    ),
    "tests/projects/test_generated.py::test_only_what_would_be_written_again_is_kept": (
        "what stood there",
        "no text",
        "when",
        "a link",
        "by another program",
        "much",
        "an empty directory",
    ),
    "tests/projects/test_leavings.py::test_the_second_build_serves_the_next_clone": ("setuptools",),
    "tests/projects/test_looked_at.py::test_a_new_file_with_setuptools": ("wheel",),
    "tests/projects/test_looked_at.py::test_setuptools_without_isolation": ("wheel",),
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
        "module",
        "known program",
        "variable of a shell",
        "file that a copy is made of",
        "names in a directory",
    ),
    "tests/projects/test_never_stale.py::test_sdists_and_commits": (
        "path-variable",
        "path-file that is there",
        "find-links-variable",
        "commit-program",
        "find-links-file",
    ),
    "tests/projects/test_products.py::test_the_date": (
        "return __import__('time').strftime('%Y%m%d')-True",
        "return str(__import__('datetime').date.today())-True",
    ),
    "tests/projects/test_products.py::test_the_moment": ("return __import__('time').ctime()",),
    "tests/projects/test_products.py::test_the_path_of_the_environment": (
        "directory-sys.executable-bytes",
        "directory-__import__('sysconfig').get_path('data') + '/bin/python'-text",
    ),
    "tests/projects/test_references.py::test_a_project_in_another_one_is_no_edit_of_it": ("after",),
    "tests/projects/test_references.py::test_an_archive_that_is_replaced_under_its_name": ("page",),
    "tests/projects/test_references.py::test_metadata_that_name_something_here": (
        "wheel-False-branch",
        "directory-False-branch",
        "editable-True-directory",
    ),
    "tests/projects/test_references.py::test_that_a_branch_is_looked_up_each_time_is_said": ("wheel",),
    "tests/projects/test_sources.py::test_another_configuration_is_built_again": (),
    "tests/projects/test_standins.py::test_paths_of_every_form": (
        "arguments2",
        "arguments4",
    ),
    "tests/provision/test_bytecode.py::test_damaged_bytecode_breaks_no_import_and_is_made_anew": (
        "truncated",
        "touched",
    ),
    "tests/provision/test_bytecode.py::test_every_interpreter_finds_its_bytecode": ("3.9",),
    "tests/provision/test_bytecode.py::test_never_stale_after_an_edit": ("replaced",),
    "tests/provision/test_bytecode.py::test_never_stale_after_an_upgrade_or_downgrade_in_place": ("1.0-2.0",),
    "tests/provision/test_cold.py::test_what_pip_has_downloaded_is_not_downloaded_again": ("files-only",),
    "tests/provision/test_hostile_plans.py::test_where_a_link_leads_outside_pip_installs_by_itself": (
        "linked/inside",
        "..",
    ),
    "tests/provision/test_integrity.py::test_a_damaged_entry_counts_as_missing": (
        "wheels",
        "roots",
    ),
    "tests/provision/test_integrity.py::test_a_damaged_object_is_put_right": (
        "emptied",
        "truncated",
    ),
    "tests/provision/test_lost_store.py::test_an_install_says_so": (
        "False-_removed",
        "False-_moved",
    ),
    "tests/provision/test_other_pips.py::test_installs_with_another_pip": ("23.0.1",),
    "tests/provision/test_processes.py::test_a_killed_process_leaves_nothing_that_harms_the_next": (),
    "tests/provision/test_recycling.py::test_another_interpreter_makes_another_environment": (),
    "tests/provision/test_recycling.py::test_what_is_not_ours_is_replaced": (
        "plain file",
        "symlink",
    ),
    "tests/provision/test_remote_files.py::test_a_file_by_url_is_asked_for_once": ("requirements",),
    "tests/provision/test_remote_files.py::test_a_file_that_names_more_than_versions_is_asked_for_each_time": (
        "--find-links {wheels}",
    ),
    "tests/provision/test_reuse.py::test_upgrades_and_downgrades_leave_nothing_behind": ("warm",),
    "tests/provision/test_reuse.py::test_where_no_index_is_read_an_old_resolution_is_renewed_without_asking_anybody": (
        "600",
    ),
    "tests/remote/test_faults.py::test_a_server_that_fails_is_not_asked_again": (
        "Fault.DRIP",
        "Fault.HANG",
        "Fault.CUT",
    ),
    "tests/remote/test_faults.py::test_what_is_not_signed_by_a_trusted_key_is_a_miss": (
        "_cut",
        "_flipped",
    ),
    "tests/remote/test_servers.py::test_entries_are_listed_and_removed": (
        "webdav",
        "azure",
    ),
    "tests/remote/test_servers.py::test_what_one_machine_has_the_other_one_has_without_pip_and_without_a_build": (
        "webdav",
        "azure",
    ),
    "tests/renewal/test_renewal.py::test_an_index_that_wants_a_password": ("NETRC",),
    "tests/renewal/test_renewal.py::test_any_change_of_a_page_is_seen": (
        "compressed",
        "dated",
    ),
    "tests/renewal/test_renewal.py::test_certificates": (
        "PIP_CERT-False",
        "--cert-False",
    ),
    "tests/resolve/test_key.py::test_pip_agrees": (
        "file name",
        "parent",
        "nested file",
        "continuation",
    ),
    "tests/store/test_together.py::test_killed_at_any_moment": (
        "1",
        "2",
    ),
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
