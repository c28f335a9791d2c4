"""The public projects of the survey: their sdists, and a repository of git made of each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Final

from .measure import neutral_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["CANDIDATES", "TOX_FILES", "fetch", "repository", "variables"]

#: Well-known projects whose sdists have a noxfile or configure tox, in the order in which they are taken.
_NAMED: Final = """
    flask attrs click alembic jinja2 pytest tox cibuildwheel virtualenv werkzeug build cryptography filelock
    platformdirs pluggy dogpile-cache babel sphinx pygments environ-config coverage twine pip-tools furo pylint
    isort structlog jsonschema itsdangerous blinker marshmallow mako apispec webargs scrapy nox zipp
    importlib-metadata jaraco-functools pyproject-hooks more-itertools cachetools tqdm referencing typeguard wheel
    zope-interface rpds-py zope-event zope-schema pyramid scikit-build-core waitress webob stevedore sqlalchemy
    oslo-config pbr pytest-cov towncrier pytest-xdist pytest-mock pytest-asyncio plumbum pytest-django execnet
    readme-renderer particle docutils hpack h2 hist wsproto hyperlink incremental sphinx-inline-tabs treq
    argon2-cffi freezegun jsonschema-specifications responses requests-toolbelt tablib doc2dash django-filter
    django-extensions humanize stamina natsort html5lib bleach bandit astroid python-dateutil pyparsing
    pyproject-api wrapt service-identity pem prometheus-async svcs exceptiongroup jaraco-text zope-component distlib
    priority hyperframe requests-mock pytest-timeout pkginfo
"""
CANDIDATES: Final = tuple(_NAMED.split())
#: Asks pip itself, as it is configured, for the newest sdist of a project, and saves it.
_FETCH: Final = """
import os, sys
from pip._internal.commands import create_command
command = create_command("download")
with command.main_context():
    options, _ = command.parse_args(["--no-binary", ":all:", sys.argv[2]])
    session = command.get_default_session(options)
    finder = command._build_package_finder(options, session)
    best = finder.find_best_candidate(sys.argv[2]).best_candidate
    response = session.get(best.link.url_without_fragment, headers={"Accept-Encoding": "identity"})
    response.raise_for_status()
    directory = os.path.join(*sys.argv[1:])
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, f"{best.version}.tar.gz")
    with open(path + ".part", "wb") as stream:
        stream.write(response.content)
    os.replace(path + ".part", path)
"""
TOX_FILES: Final = ("tox.ini", "tox.toml", "setup.cfg", "pyproject.toml")
#: Lines of these that choose a plugin's kind of environment.
_RUNNER: Final = re.compile(r"^runner *= *[\"']?uv-.*\n", re.MULTILINE)
_VERSION: Final = re.compile(r"(.*)\.tar\.gz")


def variables() -> dict[str, str]:
    """Return the variables that all runs have: no configuration of the user's, and a name for git."""
    named = {f"GIT_{who}_{what}": "survey@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {
        **neutral_environment(),
        **named,
        "PIP_CONFIG_FILE": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }


def fetch(directory: Path, name: str) -> tuple[str, Path] | None:
    """Return version and path of the project's sdist in *directory*, having saved the newest where there was none."""
    found = _sdist(directory / name)
    if found is None:
        subprocess.run([sys.executable, "-c", _FETCH, str(directory), name], env=variables(), check=False)
    return found or _sdist(directory / name)


def _sdist(directory: Path) -> tuple[str, Path] | None:
    found = ((_VERSION.fullmatch(path.name), path) for path in directory.glob("*"))
    return next(((match[1], path) for match, path in found if match is not None), None)


def repository(sdist: Path, version: str, place: Path, environ: Mapping[str, str]) -> None:
    """Make a repository at *place*, with one tagged commit of the *sdist*.

    What was generated for the sdist is not in it, nor is tox told to have environments of other kinds than its own.
    """
    unpacked = place.with_name(f"{place.name}.unpacked")
    for old in (place, unpacked):
        shutil.rmtree(old, ignore_errors=True)
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (top,) = unpacked.iterdir()
    top.rename(place)
    unpacked.rmdir()
    for generated in [place / "PKG-INFO", *place.rglob("*.egg-info")]:
        shutil.rmtree(generated) if generated.is_dir() else generated.unlink(missing_ok=True)
    for name in TOX_FILES:
        if (path := place / name).exists():
            text = path.read_text(encoding="utf-8")
            path.write_text(_RUNNER.sub("", text), encoding="utf-8")
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        ["commit", "-qm", version],
        ["tag", version],
        ["tag", f"v{version}"],
    ):
        subprocess.run(["git", *command], cwd=place, env=dict(environ), check=True)
