"""``linkenv verify``: comparing what is stored with what it has to be, and putting it right."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from nox_linkenv.cli.options import opened, settings_of
from nox_linkenv.maintenance.verify import Problem, verify
from nox_linkenv.provision.reverify import mend

if TYPE_CHECKING:
    import argparse

    from nox_linkenv.cli.output import Output

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Compare sizes, modification times and modes of what is stored with what they have to be, and name what is "
    "damaged, missing, foreign or left over. Exit code 1 when something stays broken."
)
EXAMPLES: Final = {
    "linkenv verify": "compare sizes and times",
    "linkenv verify --full --repair": "hash everything, and put right what is damaged",
}
_REMEDY: Final = "linkenv verify --repair puts right what it can; sessions repair what they come across."
#: Size and time may say nothing about what has been found: then only those who hash come across it.
_FULL_REMEDY: Final = (
    "linkenv verify --full --repair puts right what it can; sessions repair what size or time gives away, and with the "
    "setting verify what only its content does."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("--full", action="store_true", help="hash every object again")
    parser.add_argument(
        "--repair", action="store_true", help="take damaged files out and store their wheels again; remove leftovers"
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Verify, and repair."""
    settings = settings_of(arguments)
    store = opened(settings, exactly=bool(arguments.store))
    with output.progress() as progress:
        verified = verify(store, full=arguments.full, now=time.time(), progress=progress)
        fixed: dict[str, str] = {}
        if arguments.repair and verified.findings:
            fixed = mend(store, settings, verified.findings, progress=progress)
    broken = [
        finding
        for finding in verified.findings
        if finding.name not in fixed and finding.problem in (Problem.DAMAGED, Problem.MISSING)
    ]
    counts = Counter(finding.problem.value for finding in verified.findings)
    output.data(
        {
            "full": arguments.full,
            "objects": verified.objects,
            "manifests": verified.manifests,
            "bytecode": verified.bytecode,
            "findings": [
                {
                    "problem": finding.problem.value,
                    "name": finding.name,
                    "reason": finding.reason,
                    "wheels": list(finding.wheels),
                    "repaired": fixed.get(finding.name),
                }
                for finding in verified.findings
            ],
            "broken": len(broken),
        }
    )
    output.table(
        ["problem", "file", "reason", "repair"],
        [
            [finding.problem.value, finding.name, finding.reason, fixed.get(finding.name, "-")]
            for finding in verified.findings
        ],
    )
    found = ", ".join(f"{count} {problem}" for problem, count in sorted(counts.items())) or "all is well"
    how = "hashed" if arguments.full else "looked at"
    output.line(
        f"{verified.objects} objects {how}, {verified.bytecode} files of bytecode, {verified.manifests} wheels: {found}"
    )
    if broken and not arguments.repair:
        output.line(_FULL_REMEDY if arguments.full else _REMEDY)
    return 1 if broken else 0
