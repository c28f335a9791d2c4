"""``linkenv import``: taking an archive into the store."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from nox_linkenv.cli.options import settings_of
from nox_linkenv.env.assembly.link_source import open_store
from nox_linkenv.errors import ArchiveError
from nox_linkenv.store import Store
from nox_linkenv.transfer.take_in import take_in
from nox_linkenv.transfer.zstd import ensure_zstd
from nox_linkenv.units import bytes_, count_of

if TYPE_CHECKING:
    import argparse

    from nox_linkenv.cli.output import Output

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Take an archive that linkenv export has written into the store, which is made where there is none. What is there "
    "stays, so that several archives add up. Each file is compared with its name while it comes; of an archive that is "
    "damaged nothing is used. Import archives only of those whose code you would run: they say what is installed."
)
EXAMPLES: Final = {
    "linkenv import linkenv.archive": "make the store in force warm",
    "linkenv import --store /tmp/store linkenv.archive": "make another one warm",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("file", metavar="FILE", help="the archive")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Import."""
    began = time.perf_counter()
    ensure_zstd()
    path = os.path.abspath(arguments.file)
    if not os.path.isfile(path):
        what = "This is no file" if os.path.lexists(path) else "There is no such file"
        raise ArchiveError(what, path=path, remedy="Name a file that linkenv export has written.")
    settings = settings_of(arguments)
    store = Store.open(settings.store_root, lower=settings.lower_roots) if arguments.store else open_store(settings)
    with output.progress() as progress:
        taken = take_in(store, path, progress=progress, apart=True)
    seconds = time.perf_counter() - began
    output.data(
        {
            "store": store.layout.root,
            "archive": path,
            "archive_bytes": taken.size,
            "files": taken.files,
            "files_present": taken.present,
            "written_bytes": taken.written,
            "notes": taken.notes,
            "notes_kept": taken.kept,
            "seconds": round(seconds, 3),
        }
    )
    output.line(
        f"{count_of(taken.files, 'file')} came, {bytes_(taken.written)}, and {count_of(taken.notes, 'note')};"
        f" {taken.present} and {taken.kept} were there ({seconds:.1f} s)"
    )
    return 0
