"""The recipes for containers, word for word, with layers of an overlay over this machine's files as the image."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.docs.pages import PROJECT, blocks
from tests.docs.running import run_command
from tests.docs.test_archive_recipe import NOXFILE
from tests.linking.modes.filesystems import mounted
from tests.provision.conftest import _plain_process, here, make_site
from tests.provision.tool import Site, put_wheel
from tests.support.capabilities import Capability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.reliability import Reliability

__all__ = ["_plain_process", "here", "make_site"]

_PAGE: Final = PROJECT / "docs" / "how-to" / "containers.md"

pytestmark = [pytest.mark.root, pytest.mark.needs(Capability.ROOT, Capability.MOUNT, Capability.OVERLAY)]


@pytest.fixture
def machine(here: Site) -> Site:
    put_wheel(here.wheels, "one", one__py="VALUE = 1\n", one_data__bin=b"data" * 5000)
    path = [os.path.dirname(sys.executable), str(here.interpreter.parent), here.environ["PATH"]]
    here.environ["PATH"] = os.pathsep.join(path)
    here.environ["HOME"] = "/home/someone"
    here.environ.pop("LINKENV_STORE", None)
    return here


def _image(number: int) -> tuple[str, dict[str, str]]:
    """Return what the image *number* of the page runs while it is built, and the variables that it sets."""
    text = [block.text for block in blocks(_PAGE) if block.language == "dockerfile"][number]
    run = [re.sub(r"--mount=\S+ ", "", line) for line in re.findall(r"^RUN (.*)$", text, re.MULTILINE)]
    return (
        "\n".join(line for line in run if not line.startswith("pip install")),
        dict(line.split("=", 1) for line in re.findall(r"^ENV (.*)$", text, re.MULTILINE)),
    )


@contextlib.contextmanager
def _container(site: Site, layers: Path, name: str, *images: Path) -> Iterator[Path]:
    """Yield the root of a container: an empty layer over those of *images*, over the files of this machine."""
    work = layers / f"{name}-work"
    for path in (layers / name, work):
        path.mkdir()
    lower = ":".join([*map(str, images), "/"])
    options = f"lowerdir={lower},upperdir={layers / name},workdir={work}"
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(mounted(site.root / f"root-{name}", "-t", "overlay", "overlay", "-o", options))
        stack.enter_context(mounted(root / "proc", "-t", "proc", "proc"))
        stack.enter_context(mounted(root / "dev", "--bind", "/dev"))
        for path in (site.root, PROJECT, Path(sys.prefix), Path(sys.base_prefix), site.interpreter.parents[1]):
            if path.stat().st_dev != os.stat("/").st_dev:
                stack.enter_context(mounted(root / str(path).lstrip("/"), "--bind", path))
        (root / "home" / "someone").mkdir(parents=True, exist_ok=True)
        yield root


def _run(site: Site, root: Path, script: str, *before: str, **variables: str) -> str:
    """Run *script* in the project of the container with that *root*."""
    script = f"cd /project\n{script}"
    return run_command([*before, "chroot", str(root), "bash", "-e", "-c", script], site.root, site.environ | variables)


def _timed(run: Callable[[], str]) -> tuple[str, str]:
    """Return how long *run* takes, and what it says."""
    began = time.perf_counter()
    said = run()
    return f"{time.perf_counter() - began:.1f} s", said


def _size(store: Path) -> str:
    """Return the bytes of the files below *store*, each file once."""
    found = {path.stat().st_ino: path.stat().st_size for path in store.rglob("*") if path.is_file()}
    return f"{sum(found.values()) / 1e6:.1f} MB"


def _project(root: Path) -> None:
    (root / "project").mkdir()
    (root / "project" / "noxfile.py").write_text(NOXFILE)


def test_an_image_brings_a_store_along(machine: Site, tmp_path: Path, reliability: Reliability) -> None:
    build, variables = _image(1)
    with mounted(tmp_path / "layers", "-t", "tmpfs", "-o", "size=500m", "tmpfs") as layers:
        with _container(machine, layers, "image") as root:
            _project(root)
            cold, said = _timed(functools.partial(_run, machine, root, build))
            assert "asked pip: this request is new" in said
        assert not (layers / "image/project/.nox/tests").exists()
        baked = {path: path.stat().st_mtime_ns for path in (layers / "image/opt/linkenv-store").rglob("*")}
        assert baked
        with _container(machine, layers, "container", layers / "image") as root:
            warm, said = _timed(functools.partial(_run, machine, root, "nox", "unshare", "-n", **variables))
            assert "reused the resolution of" in said
            assert "value 1" in said
            (data,) = (root / "project/.nox").rglob("one_data.bin")
            assert data.read_bytes() == b"data" * 5000
        assert {path: path.stat().st_mtime_ns for path in baked} == baked, "the image is read, never written"
        assert not (layers / "container/opt/linkenv-store/v2/wheels").exists()
        reliability("recipes", ("image with a store", _size(layers / "image/opt/linkenv-store"), cold, warm))


def test_a_cache_mount_leaves_nothing_in_the_image(machine: Site, tmp_path: Path, reliability: Reliability) -> None:
    build, _ = _image(0)
    took = []
    with mounted(tmp_path / "layers", "-t", "tmpfs", "-o", "size=500m", "tmpfs") as layers:
        cache = layers / "cache"
        cache.mkdir()
        for name, says in (("first", "asked pip: this request is new"), ("second", "reused the resolution of")):
            with _container(machine, layers, name) as root:
                _project(root)
                with mounted(root / "store", "--bind", cache):
                    before = [] if name == "first" else ["unshare", "-n"]
                    seconds, said = _timed(functools.partial(_run, machine, root, build, *before))
                    took.append(seconds)
                assert says in said
                assert not list((root / "store").iterdir())
                (data,) = (root / "project").rglob("one_data.bin")
                assert (data.is_symlink(), data.stat().st_nlink) == (False, 1)
            assert not list((layers / name).rglob(".linkenv-store"))
        reliability("recipes", ("image built with a cache mount", _size(cache), *took))


def test_a_development_container_that_is_built_anew_is_warm(
    machine: Site, tmp_path: Path, reliability: Reliability
) -> None:
    took = []
    text = next(block.text for block in blocks(_PAGE) if block.language == "json")
    described = json.loads(text.replace("${containerWorkspaceFolder}", "/project"))
    (volume,) = described["mounts"]
    assert (volume["type"], volume["target"]) == ("volume", "/project/.nox")
    create, install = described["onCreateCommand"].split(" && ")
    assert install.startswith("pip install ")
    script = f"{create if shutil.which('sudo') else create.removeprefix('sudo ')}\n{described['updateContentCommand']}"
    with mounted(tmp_path / "layers", "-t", "tmpfs", "-o", "size=500m", "tmpfs") as layers:
        (layers / "volume").mkdir()
        for name, says in (("first", "asked pip: this request is new"), ("second", "reused the resolution of")):
            with _container(machine, layers, name) as root:
                _project(root)
                with mounted(root / "project" / ".nox", "--bind", layers / "volume"):
                    before = [] if name == "first" else ["unshare", "-n"]
                    variables = described["containerEnv"]
                    run = functools.partial(_run, machine, root, script, *before, **variables)
                    seconds, said = _timed(run)
                    took.append(seconds)
                    assert says in said
                    (data,) = (root / "project/.nox").glob("tests*/lib/*/site-packages/one_data.bin")
                    assert data.stat().st_nlink > 1, "it is linked from the store in the volume"
            assert not list((layers / name / "project" / ".nox").iterdir())
        reliability("recipes", ("development container", _size(layers / "volume/.linkenv-store"), *took))
