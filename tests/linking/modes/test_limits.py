"""What the system refuses, for real: each ends in a working environment or in one clear error."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.config import Settings
from nox_linkenv.env.assembly.link_source import assembler_for, open_store
from nox_linkenv.env.links import Links
from nox_linkenv.env.receipt import read_receipt
from nox_linkenv.errors import EnvError, LinkenvError
from nox_linkenv.linking import LinkMode
from nox_linkenv.store import Store
from tests.linking.modes.conftest import place_on
from tests.linking.modes.filesystems import FILESYSTEMS, Ground, mounted
from tests.provision.tool import changed_objects
from tests.store.tool import as_nobody
from tests.support.capabilities import Capability
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.tool import Site

_LOOK = "import demo, demo.inner.module; print(demo.VERSION)"
_BY_NAME = {filesystem.name: filesystem for filesystem in FILESYSTEMS}
#: Links of one inode on ext4.
_LIMIT = 65_000


def test_too_many_links(tmp_path: Path, settle: Callable[..., Site]) -> None:
    """EMLINK, by ext4's own limit: the file that is refused is copied, and it is said."""
    ext4 = _BY_NAME["ext4"]
    with ext4.ground(tmp_path) as ground:
        site = settle(ext4, ground)
        place_on(site, ground, "one").session(["demo==1.0"])
        place = place_on(site, ground, "one")
        path = place.packages / "demo/inner/data.bin"
        for number in range(_LIMIT - path.stat().st_nlink):
            if number % 5000 == 0:
                os.mkdir(ground.stores / str(number))
            os.link(path, ground.stores / str(number - number % 5000) / str(number))
        assert path.stat().st_nlink == _LIMIT
        other = place_on(site, ground, "two")
        session = other.session(["demo==1.0"], settings=replace(site.settings, spares=False))
        assert len(session.warnings) == 1
        assert "limit of links" in session.warnings[0]
        assert other.run(_LOOK) == "1.0"
        assert (other.packages / "demo/inner/data.bin").read_bytes() == path.read_bytes()
        # The copy is as good as a link for the next environment at this place.
        again = other.session(["demo==1.0"])
        assert again.warnings == []
        assert changed_objects(site.base) == []


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
@pytest.mark.parametrize("asked", [LinkMode.AUTO, LinkMode.COPY], ids=lambda mode: mode.value)
def test_no_space_left(asked: LinkMode, tmp_path: Path, settle: Callable[..., Site]) -> None:
    """ENOSPC where the environments are: one error that says so, no environment that looks finished, and then one."""
    ground = Ground(tmp_path / "stores", tmp_path / "small" / "environments")
    ground.stores.mkdir()
    site = settle(_BY_NAME["tmpfs"], ground, link_mode=asked)
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=2m", "tmpfs") as small:
        place = place_on(site, ground, "one")
        with pytest.raises(LinkenvError, match=r"(?i)space") as caught:
            place.session(["demo==1.0"])
        assert str(small) in str(caught.value)
        assert read_receipt(place.prefix) is None
        subprocess.run(["mount", "-o", "remount,size=100m", small], check=True)
        place.session(["demo==1.0"])
        assert place.run(_LOOK) == "1.0"
        assert changed_objects(site.base) == []


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
def test_bind_mount_without_a_companion(tmp_path: Path, settle: Callable[..., Site]) -> None:
    """EXDEV between two mounts of one filesystem: copies, and why, said once."""
    bind = _BY_NAME["bind"]
    with bind.ground(tmp_path) as ground:
        site = settle(bind, ground, companion="none")
        place = place_on(site, ground, "one")
        session = place.session(["demo==1.0"], ["demo==1.0"])
        assert len(session.warnings) == 1
        assert "different filesystems or mounts" in session.warnings[0]
        assert "LINKENV_COMPANION" in session.warnings[0]
        assert place.run(_LOOK) == "1.0"
        assert not list(tmp_path.rglob(".linkenv-store"))


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT)
def test_companion_is_filled_once_and_mended_from_the_store(tmp_path: Path, settle: Callable[..., Site]) -> None:
    bind = _BY_NAME["bind"]
    with bind.ground(tmp_path) as ground:
        site = settle(bind, ground)
        place, other = place_on(site, ground, "one"), place_on(site, ground, "two")
        first = place.session(["demo==1.0"], run=_LOOK)
        companion = Path(tmp_path, "m", ".linkenv-store")
        assert [str(companion) in warning for warning in first.warnings] == [True]
        assert (companion / ".gitignore").read_text() == "*\n"
        path = place.packages / "demo/inner/data.bin"
        inode = path.stat().st_ino
        second = other.session(["demo==1.0"])
        assert (second.warnings, second.calls) == ([], [])
        assert (other.packages / "demo/inner/data.bin").stat().st_ino == inode
        path.write_bytes(b"edited")
        second = other.session(["demo==1.0"])
        assert (second.warnings, second.calls) == ([], []), "nothing is fetched: the store has it"
        assert (other.packages / "demo/inner/data.bin").stat().st_size == 256 * 300
        assert changed_objects(site.base) == []
        assert changed_objects(companion / "v2") == []


@pytest.mark.needs(Capability.ROOT, Capability.MOUNT, Capability.EXFAT)
def test_no_symlinks(tmp_path: Path, settle: Callable[..., Site]) -> None:
    """Virtualenv's usual environments cannot be on exFAT; the error says what can."""
    exfat = _BY_NAME["exfat"]
    with exfat.ground(tmp_path) as ground:
        site = settle(exfat, ground)
        with pytest.raises(EnvError, match=r"has no symlinks.*--copies"):
            place_on(site, ground, "one").session()
        with pytest.raises(LinkenvError, match="does not keep files' modes"):
            Store.open(ground.environments / "store")


@pytest.mark.needs(Capability.ROOT)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_files_of_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """EPERM by fs.protected_hardlinks: another user's store is below one's own, which is filled from it and linked."""
    switch = Path("/proc/sys/fs/protected_hardlinks")
    if not switch.exists() or switch.read_text().strip() != "1":
        pytest.skip("fs.protected_hardlinks is off")
    import nox_linkenv.env.assembly.filling
    import nox_linkenv.linking.clone
    import nox_linkenv.store.link_policy  # noqa: F401 - the user nobody may not be able to import

    with tempfile.TemporaryDirectory(prefix="linkenv-test-") as directory:
        root = Path(directory)
        root.chmod(0o755)
        theirs = Store.open(root / "theirs")
        manifest = theirs.add(make_wheel(root))
        home = root / "home"
        home.mkdir(mode=0o777)
        home.chmod(0o777)
        monkeypatch.setenv("XDG_CACHE_HOME", str(home))
        links = Links()
        for file in manifest.files:
            links.add(file.path.replace("/", "-"), file.address, file.size)
        Store.open(root / "warm-up").locked().__enter__()

        def use() -> None:
            settings = Settings(store=str(root / "theirs"))
            store = open_store(settings)
            assert store.layout.root == str(home / "nox-linkenv")
            assert store.manifest(manifest.digest) == manifest
            prefix = home / "project" / "env"
            prefix.mkdir(parents=True)
            assembler, note = assembler_for(str(prefix), store, settings)
            assert (assembler.mode, note) == (LinkMode.HARDLINK, None)
            report = assembler.link(links)
            assert (report.linked, report.damaged, report.explain()) == (len(links.paths), [], None)
            for path, source in zip(links.paths, links.sources, strict=True):
                assert (prefix / path).samefile(f"{store.layout.base}/{source}")
                assert (prefix / path).read_bytes() == Path(theirs.layout.base, source).read_bytes()

        assert as_nobody(use) == ""
        assert changed_objects(Path(theirs.layout.base)) == []
