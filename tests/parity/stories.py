"""The stories: what sessions install, from the ordinary to the awkward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.parity.tool import Story
from tests.parity.wheels import build_project, build_wheels
from tests.support.interpreters import usual

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BIG", "FROM_FILES", "FROM_INDEX", "PYTHONS", "furnish"]

PYTHONS = usual("3.9", "3.12", "3.13")

_HASHED = """\
six==1.17.0 \\
    --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274 \\
    --hash=sha256:ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81
idna==3.10 --hash=sha256:946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3
"""

#: Namespace packages, a binary in ``.data/scripts``, headers, a ``.pth``, an sdist alone, an extra, a yanked pin,
#: ``.data/data``; then each way of asking that pip has, on top of what is there.
FROM_INDEX = Story(
    (
        (
            *("zope.interface", "zope.event", "jaraco.functools", "ruff", "greenlet", "coverage"),
            *("docopt==0.6.2", "requests[socks]", "attrs==21.1.0", "jupyterlab-pygments"),
        ),
        ("-r", "requirements.txt"),
        ("--require-hashes", "-r", "hashed.txt"),
        ("--no-deps", "jinja2==3.1.4"),
        ("idna==3.6",),
        ("-U", "idna"),
        ("requests",),
        ("-c", "constraints.txt", "--upgrade", "click"),
        ("--force-reinstall", "--no-deps", "six==1.17.0"),
        ("--pre", "typing-extensions<4.13.0rc2"),
        ("--ignore-installed", "--no-deps", "iniconfig==2.0.0"),
        ("uninstall", "ruff", "zope.event"),
        ("coverage", "zope.event"),
    )
)

#: Wheels and projects on this disk; two distributions that have a file in common.
FROM_FILES = Story(
    (
        ("wheels/awkward_dist-1.0-py3-none-any.whl",),
        ("first-dist @ {here}/wheels/first_dist-1.0-py3-none-any.whl",),
        ("--no-index", "--find-links=wheels", "second-dist"),
        (".",),
        ("-e", ".[test]"),
        ("--force-reinstall", "--no-deps", "--no-index", "--find-links", "wheels", "first-dist"),
        ("uninstall", "second-dist"),
        (".[test]",),
    )
)

#: Name -> a set of distributions as large as sessions have them.
BIG = {
    "SCI": Story((("pandas", "scipy", "scikit-learn", "matplotlib"),)),
    "JL": Story((("jupyterlab",),)),
    "WEB": Story((("django", "pytest", "requests", "flask", "sqlalchemy"),)),
}


def furnish(project: Path, story: Story) -> Story:
    """Write into *project* the files that the stories name, and return *story* with the project's place in it."""
    project.mkdir()
    build_project(project)
    build_wheels(project / "wheels")
    (project / "nested").mkdir()
    (project / "requirements.txt").write_text("-r nested/more.txt\n-c constraints.txt\nclick>=8\n")
    (project / "nested" / "more.txt").write_text("# a comment\niniconfig ; python_version >= '3'\n")
    (project / "constraints.txt").write_text("click<8.1.8\niniconfig==2.0.0\n")
    (project / "hashed.txt").write_text(_HASHED)
    return Story(tuple(tuple(arg.replace("{here}", project.as_uri()) for arg in step) for step in story.steps))
