"""Making one environment like another: whatever differs between two directories is copied, with its paths put right."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import stat
from typing import TYPE_CHECKING

from nox_linkenv.env.assembly.apply import LinkApplier, stored_plan
from nox_linkenv.env.assembly.assembler import write_private
from nox_linkenv.env.receipt import DIRECTORY, Receipt, remove_receipt
from nox_linkenv.env.record import record_digest

if TYPE_CHECKING:
    from nox_linkenv.provision.environment import Environment

__all__ = ["copy_differences", "link_plans"]


def link_plans(environment: Environment, receipt: Receipt) -> None:
    """Link in *environment* what the plans of *receipt* link, and leave all else of them to the caller."""
    remove_receipt(environment.prefix)
    applier = LinkApplier(environment.store, environment.assembler, receipt.facts, environment.settings)
    for name in receipt.plans:
        plan = stored_plan(environment.store, name)
        if plan is not None:
            applier.apply_links(name, plan.links, [])


def copy_differences(source: str, target: str) -> None:
    """Make the environment at *target* what the one at *source* is.

    Files that are the same inode are the same.  In texts the path of the one becomes that of the other, and RECORD
    says the digests of the texts that this has changed.

    Raises:
        OSError: a file cannot be read or written.
    """
    copying = _Copying(source, target)
    copying.directory("")
    for path in copying.records:
        copying.correct(path)


class _Copying:
    def __init__(self, source: str, target: str) -> None:
        self.source = source
        self.target = target
        self.own_path = re.compile(re.escape(os.fsencode(source)) + rb"(?![\w.+-])")
        self.records: list[str] = []
        self.rewritten: set[str] = set()

    def directory(self, path: str) -> None:
        """Make one directory (relative, empty or with a final ``/``) and what is below it the same."""
        there = set(os.listdir(f"{self.target}/{path}"))
        with os.scandir(f"{self.source}/{path}") as found:
            entries = [entry for entry in found if path or entry.name != DIRECTORY]
        names = {entry.name for entry in entries} | (set() if path else {DIRECTORY})
        for name in there - names:
            _remove(f"{self.target}/{path}{name}")
        for entry in entries:
            name = path + entry.name
            if entry.is_symlink():
                self._symlink(name)
            elif entry.is_dir():
                place = f"{self.target}/{name}"
                if os.path.islink(place) or not os.path.isdir(place):
                    _remove(place)
                    os.mkdir(place)
                self.directory(f"{name}/")
                os.chmod(place, stat.S_IMODE(entry.stat().st_mode))
            elif entry.is_file():
                self._file(name, entry.stat())

    def correct(self, path: str) -> None:
        """Correct what the RECORD at *path* says of rewritten files."""
        site = os.path.dirname(os.path.dirname(path))
        with open(f"{self.target}/{path}", encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
        changed = False
        for row in rows:
            name = os.path.normpath(f"{site}/{row[0]}") if row else ""
            if name in self.rewritten and len(row) == 3 and row[1].startswith("sha256="):
                with open(f"{self.target}/{name}", "rb") as content:
                    data = content.read()
                row[1:] = [record_digest(data), str(len(data))]
                changed = True
        if changed:
            text = io.StringIO(newline="")
            csv.writer(text, lineterminator="\n").writerows(rows)
            write_private(f"{self.target}/{path}", text.getvalue().encode(), executable=False)

    def _symlink(self, name: str) -> None:
        leads = self.own_path.sub(lambda _: os.fsencode(self.target), os.fsencode(os.readlink(f"{self.source}/{name}")))
        place = f"{self.target}/{name}"
        if not os.path.islink(place) or os.fsencode(os.readlink(place)) != leads:
            _remove(place)
            os.symlink(os.fsdecode(leads), place)

    def _file(self, name: str, status: os.stat_result) -> None:
        place = f"{self.target}/{name}"
        try:
            found = os.lstat(place)
        except OSError:
            found = None
        if found is not None and os.path.samestat(found, status):
            return
        with open(f"{self.source}/{name}", "rb") as stream:
            content = stream.read()
        if b"\0" not in content:
            replaced = self.own_path.sub(lambda _: os.fsencode(self.target), content)
            if replaced != content:
                self.rewritten.add(os.path.normpath(name))
            content = replaced
        if found is not None and not stat.S_ISREG(found.st_mode):
            _remove(place)
        write_private(place, content, executable=bool(status.st_mode & 0o100))
        os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
        if stat.S_IMODE(os.lstat(place).st_mode) != stat.S_IMODE(status.st_mode):
            os.chmod(place, stat.S_IMODE(status.st_mode))
        if name.endswith(".dist-info/RECORD"):
            self.records.append(name)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
