"""A simulated matrix of CI: every cell is an empty machine that has one archive and no network."""

from __future__ import annotations

import os
import random
import re
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nox_linkenv.transfer.zstd import LEVEL

from .measure import neutral_environment, seconds_of, worked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "PACKAGES",
    "PYTHONS",
    "SETS",
    "Cell",
    "command_line",
    "environment",
    "noxfile",
    "run_cell",
    "sets",
]

PYTHONS: Final = ("3.10", "3.11", "3.12", "3.13")
SETS: Final = 25
#: What sets are drawn from: a distribution, and what of it is imported where that has another name.
# fmt: off
PACKAGES: Final = (
    "numpy", "pandas", "scipy", "scikit-learn:sklearn", "matplotlib", "pillow:PIL", "requests", "httpx", "flask",
    "django", "fastapi", "starlette", "uvicorn", "click", "typer", "rich", "pydantic", "attrs:attr", "sqlalchemy",
    "alembic", "jinja2", "markupsafe", "pyyaml:yaml", "tomli-w:tomli_w", "lxml", "beautifulsoup4:bs4", "pytest",
    "hypothesis", "coverage", "tqdm", "cryptography", "cffi", "aiohttp", "redis", "psutil", "networkx", "sympy",
    "pygments", "sphinx", "docutils", "markdown", "python-dateutil:dateutil", "packaging", "platformdirs", "filelock",
    "virtualenv", "black", "isort", "mypy", "jsonschema", "orjson", "msgpack", "protobuf:google.protobuf",
    "grpcio:grpc", "boto3", "paramiko", "openpyxl", "xarray", "seaborn", "marshmallow",
)
# fmt: on
_SEED: Final = 13
_NOXFILE: Final = """\
import nox


@nox.session(python={pythons!r}, venv_backend={backend!r})
def tests(session):
    session.install(*{install!r})
    session.run("python", "-c", {run!r})
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell took: bytes, and seconds of wall clock and of processors.

    Args:
        archive: bytes of the archive.
        files: bytes of the files in the environment, bytecode of what was imported included, each content once.
        packed: bytes of the same files as tar and zstd pack them, at the level of archives.
        wheels: bytes of the wheels as the index gives them out.
        imported: seconds of ``linkenv import`` on the empty machine.
        import_worked: seconds of processors for it.
        ran: seconds of nox there.
        run_worked: seconds of processors for it.
    """

    python: str
    packages: tuple[str, ...]
    archive: int
    files: int
    packed: int
    wheels: int
    imported: float
    import_worked: float
    ran: float
    run_worked: float


def sets() -> list[tuple[str, ...]]:
    """Return the sets of packages, always the same ones; each package is in one of them at least."""
    draw = random.Random(_SEED)
    dealt = draw.sample(PACKAGES, len(PACKAGES))
    return [tuple(sorted({*dealt[number::SETS], *draw.sample(PACKAGES, draw.randint(1, 5))})) for number in range(SETS)]


def environment(home: Path, store: Path) -> dict[str, str]:
    """Return the variables of a machine with its own home and store; interpreters and certificates are this one's."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        **neutral_environment(),
        "HOME": str(home),
        "PYENV_ROOT": os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"),
        "PIP_CONFIG_FILE": os.devnull,
        "UV_NO_CONFIG": "1",
        "CI": "true",
        "LINKENV_STORE": str(store),
    }


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nox_linkenv", *arguments]


def noxfile(directory: Path, packages: tuple[str, ...], pythons: tuple[str, ...], backend: str) -> None:
    names = [package.partition(":") for package in packages]
    install = tuple(name for name, _, _ in names)
    run = "import " + ", ".join(module or name for name, _, module in names)
    directory.mkdir(parents=True, exist_ok=True)
    text = _NOXFILE.format(pythons=list(pythons), backend=backend, install=install, run=run)
    (directory / "noxfile.py").write_text(text, encoding="utf-8")


def run_cell(work: Path, python: str, packages: tuple[str, ...]) -> Cell:
    """Fill a store by a job, take along what it used, and do the same job on a machine that has nothing else."""
    nox = [sys.executable, "-m", "nox", "--error-on-missing-interpreters"]
    first, second = work / "first", work / "second"
    shutil.rmtree(first, ignore_errors=True)
    shutil.rmtree(second, ignore_errors=True)
    noxfile(first, packages, (python,), "linked")
    there = environment(work / "home", work / "store")
    seconds_of(nox, first, there)
    seconds_of(command_line("export", "linkenv.archive"), first, there)
    files = _content(first / ".nox")
    seconds_of(["tar", "-I", f"zstd -T0 -{LEVEL}", "-cf", "environments", ".nox"], first, there)
    wheels = sum(_wheels(work, python, there))
    noxfile(second, packages, (python,), "linked")
    archive = shutil.move(first / "linkenv.archive", second / "linkenv.archive")
    here = environment(second / "home", second / "store")
    packed = (first / "environments").stat().st_size
    offline = ["unshare", "-n"]
    before = worked()
    imported, _ = seconds_of([*offline, *command_line("import", "linkenv.archive")], second, here)
    between = worked()
    ran, said = seconds_of([*offline, *nox], second, here)
    ran_worked = worked() - between
    seconds_of(command_line("wait"), second, here)  # nothing works on in what the next cell finds empty
    if "asked pip" in said or "reused the resolution of" not in said:
        raise RuntimeError(f"The cell was not answered from its archive\n{said}")
    return Cell(
        python, packages, os.path.getsize(archive), files, packed, wheels,
        imported, between - before, ran, ran_worked,
    )  # fmt: skip


def _content(root: Path) -> int:
    """Return the bytes of the files below *root*, each inode once."""
    found: dict[int, int] = {}
    for top, _, names in os.walk(root):
        for name in names:
            status = os.lstat(os.path.join(top, name))
            found[status.st_ino] = status.st_size
    return sum(found.values())


def _wheels(work: Path, python: str, environ: Mapping[str, str]) -> list[int]:
    """Return the bytes of each wheel that was installed into the bare environment, as the index says them to uv."""
    interpreter = str(work / "first" / ".nox" / f"tests-{python.replace('.', '-')}" / "bin" / "python")
    _, frozen = seconds_of([interpreter, "-c", _FREEZE], work, environ)
    (work / "requirements.in").write_text(frozen, encoding="utf-8")
    command = ["uv", "pip", "compile", "-q", "--no-deps", "--format", "pylock.toml", "--python", interpreter]
    _, lock = seconds_of([*command, "requirements.in"], work, environ)
    found = []
    for block in lock.split("[[packages]]")[1:]:
        fitting = re.findall(r'\.whl".*?size = (\d+), hashes = \{ sha256 = "([0-9a-f]{64})"', block)
        here = [
            int(size) for size, digest in fitting if any(work.glob(f"store/v*/wheels/{digest[:2]}/{digest[2:]}.json"))
        ]
        if not here:
            raise RuntimeError(f"No wheel that uv knows was installed of\n{block}")
        found.append(here[0])
    return found


_FREEZE: Final = """\
from importlib.metadata import distributions

for one in distributions():
    if one.metadata["Name"] not in ("pip", "setuptools"):
        print(f"{one.metadata['Name']}=={one.version}")
"""
