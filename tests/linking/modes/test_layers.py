"""Stores that are only read, stores in image layers, and stores that have gone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.env.receipt import read_receipt
from nox_linkenv.errors import EnvError
from nox_linkenv.linking import LinkMode
from tests.linking.modes.conftest import place_on
from tests.linking.modes.filesystems import FILESYSTEMS, Ground, mounted
from tests.provision.tool import changed_objects, put_wheel
from tests.support.capabilities import Capability
from tests.support.interpreters import TARGET, directory_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.tool import Site

_LOOK = "import demo, demo.inner.module; print(demo.VERSION)"
_PLAIN = FILESYSTEMS[0]


def plain(tmp_path: Path) -> Ground:
    ground = Ground(tmp_path / "stores", tmp_path / "environments")
    ground.stores.mkdir()
    ground.environments.mkdir()
    return ground


def _files(directory: Path) -> set[str]:
    return {path.name for path in directory.rglob("*") if path.is_file()}


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT, Capability.OVERLAY)
@pytest.mark.parametrize("asked", [LinkMode.AUTO, LinkMode.SYMLINK, LinkMode.COPY], ids=lambda mode: mode.value)
def test_store_in_an_image_layer(asked: LinkMode, tmp_path: Path, settle: Callable[..., Site]) -> None:
    """Nothing of a lower layer is hard-linked: what is linked was put into the upper one; symlinks need nothing."""
    with mounted(tmp_path / "below", "-t", "tmpfs", "-o", "size=300m", "tmpfs") as below:
        lower, upper, work = below / "lower", below / "upper", below / "work"
        for path in (lower, upper, work):
            path.mkdir()
        ground = Ground(lower / "stores", lower / "environments")
        ground.stores.mkdir()
        site = settle(_PLAIN, ground, link_mode=asked)
        place_on(site, ground, "baked").session(["demo==1.0"])
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        with mounted(tmp_path / "m", "-t", "overlay", "overlay", "-o", options) as merged:
            inside = Ground(merged / "stores", merged / "environments")
            site.settings = settle_again(site, inside)
            place = place_on(site, inside, "one")
            session = place.session(["demo==1.0"])
            assert session.calls == [], "the resolution is in the layer below"
            assert place.run(_LOOK) == "1.0"
            raised = (
                _files(upper / "stores/store/v2/objects") if (upper / "stores/store/v2/objects").exists() else set()
            )
            if asked is LinkMode.AUTO:
                path = place.packages / "demo/inner/data.bin"
                assert path.stat().st_nlink > 1
                inodes = {path.stat().st_ino for path in (upper / "stores/store/v2/objects").rglob("*")}
                assert path.stat().st_ino in inodes
                before = raised
                place_on(site, inside, "two").session(["demo==1.0"])
                assert _files(upper / "stores/store/v2/objects") == before, "they are put there once"
            else:
                assert raised == set()
            # An environment that was baked into the image, too, is replaced though it cannot be renamed.
            baked = place_on(site, inside, "baked")
            baked.session(["demo==1.0"])
            assert baked.run(_LOOK) == "1.0"


def settle_again(site: Site, ground: Ground):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(site.settings, store=str(ground.stores / "store"))


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
@pytest.mark.parametrize("asked", [LinkMode.AUTO, LinkMode.SYMLINK], ids=lambda mode: mode.value)
def test_read_only_store_is_below_the_users_own(
    asked: LinkMode, tmp_path: Path, settle: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ground = plain(tmp_path)
    site = settle(_PLAIN, ground, link_mode=asked)
    place_on(site, ground, "before").session(["demo==1.0"], run=_LOOK)
    shutil.rmtree(ground.environments)
    ground.environments.mkdir()
    own = tmp_path / "cache" / "nox-linkenv"
    with mounted(site.store, "--bind", site.store):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(site.store)], check=True)
        place = place_on(site, ground, "one")
        session = place.session(["demo==1.0"], run=_LOOK)
        assert session.calls == []
        assert not list(own.glob("v2/wheels/*/*")), "what is below is not fetched again"
        assert list(place.packages.glob("demo/__pycache__/*.pyc"))
        receipt = read_receipt(place.prefix)
        assert receipt is not None
        assert receipt.store == str(own)
        assert (place.packages / "demo/inner/data.bin").is_symlink() is (asked is LinkMode.SYMLINK)
        if asked is LinkMode.AUTO:
            assert _files(own / "v2" / "objects") >= {receipt_object(place.packages / "demo/inner/data.bin", own)}
        put_wheel(site.wheels, "more", more___init____py="X = 1")
        session = place.session(["demo==1.0"], ["more"], run="import demo, more")
        assert session.closing.messages == []
        assert len(list(own.glob("v2/wheels/*/*"))) == 1
        assert changed_objects(own / "v2") == []


def receipt_object(path: Path, own: Path) -> str:
    return next(entry.name for entry in own.glob("v2/objects/*/*") if entry.samefile(path))


def test_lower_store_by_setting(tmp_path: Path, settle: Callable[..., Site]) -> None:
    ground = plain(tmp_path)
    site = settle(_PLAIN, ground)
    place_on(site, ground, "before").session(["demo==1.0"])
    lower = str(tmp_path / "lower")
    os.rename(site.store, lower)
    from dataclasses import replace

    site.settings = replace(site.settings, lower_store=lower)
    place = place_on(site, ground, "one")
    session = place.session(["demo==1.0"])
    assert session.calls == []
    assert place.run(_LOOK) == "1.0"
    assert changed_objects(Path(lower, "v2")) == []
    # Where the one below is damaged, it counts as missing, and is never written.
    (victim,) = [path for path in Path(lower).glob("v2/objects/*/*") if path.stat().st_size == 256 * 300]
    victim.write_bytes(b"short")
    shutil.rmtree(site.store)
    session = place_on(site, ground, "two").session(["demo==1.0"])
    assert session.calls == ["fetch"]
    assert (place_on(site, ground, "two").packages / "demo/inner/data.bin").stat().st_size == 256 * 300
    assert victim.read_bytes() == b"short"


def test_vanished_store_is_noticed(tmp_path: Path, settle: Callable[..., Site]) -> None:
    """By whoever installs, by the end of a session, and by the interpreter itself, whatever it is asked."""
    ground = plain(tmp_path)
    site = settle(_PLAIN, ground, link_mode=LinkMode.SYMLINK)
    place = place_on(site, ground, "one")
    environment = place.environment()
    place.create(environment)
    place.install(environment, "demo==1.0")
    os.rename(site.store, tmp_path / "moved")
    done = subprocess.run(
        [f"{place.prefix}/bin/python", "-c", "import demo"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The store that files of this environment are symlinks into is gone")
    assert len(done.stderr.splitlines()) == 1
    assert str(site.store) in done.stderr
    again = place.environment()
    with pytest.raises(EnvError, match="is gone") as caught:
        again.check()
    assert str(site.store) in str(caught.value)
    with pytest.raises(EnvError, match="is gone"):
        place.install(again, "demo==1.0")
    with pytest.raises(EnvError, match="is gone"):
        again.close(site.environ)
    shutil.rmtree(site.store)
    os.rename(tmp_path / "moved", site.store)
    assert place.run(_LOOK) == "1.0"


def test_another_mode_takes_nothing_over(tmp_path: Path, settle: Callable[..., Site]) -> None:
    """Files that were linked do not get into an environment of copies, nor the other way round."""
    from dataclasses import replace

    ground = plain(tmp_path)
    site = settle(_PLAIN, ground)
    place = place_on(site, ground, "one")
    path = Path(place.prefix, directory_of(TARGET), "demo/inner/data.bin")
    for mode in (
        LinkMode.HARDLINK,
        LinkMode.COPY,
        LinkMode.SYMLINK,
        LinkMode.HARDLINK,
        LinkMode.SYMLINK,
        LinkMode.COPY,
    ):
        place.session(["demo==1.0"], settings=replace(site.settings, link_mode=mode))
        status = path.lstat()
        assert (status.st_nlink > 1, path.is_symlink()) == (mode is LinkMode.HARDLINK, mode is LinkMode.SYMLINK)
        assert changed_objects(site.base) == []
