"""One process of the test of many: builds and removes environments, and re-hashes every file of each.

``python -m tests.cli.worker SITE SECONDS NUMBER``; SITE is the site as JSON.  Prints how many were built.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import time
from pathlib import Path

from nox_linkenv.config import Settings
from nox_linkenv.digest import file_digest
from nox_linkenv.env.contents import contents as contents_of
from nox_linkenv.store.roots import forget_root
from tests.provision.tool import Site

__all__ = ["main"]


def check(site: Site, prefix: str, names: list[str], contents: dict[str, str]) -> None:
    """Raise where a file of the environment is missing or is not what its wheel has."""
    environment = site.place(os.path.basename(prefix)).environment()
    receipt = environment.receipt
    assert receipt is not None, "the environment is not finished"
    for content in contents_of(environment.store, prefix, receipt):
        links = content.links.selected(content.current)
        for path, source in zip(links.paths, links.sources, strict=True):
            with open(f"{prefix}/{path}", "rb") as stream:
                assert file_digest(stream) == source.removeprefix("objects/").replace("/", "")[:64], path
    (packages,) = Path(prefix).glob("lib/python3.*/site-packages")
    for name in names:
        found = (packages / name / "core.py").read_text()
        assert found == contents[name], f"{name}: {found!r}"


def main() -> None:
    """Build, check, remove, until the time is over and something was pruned, or for two minutes.

    What is built changes with time, so that much becomes unused.
    """
    data, seconds, number = json.loads(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    site = Site(Path(data["root"]), Path(data["interpreter"]), Settings(**data["settings"]), data["environ"])
    chosen = random.Random(number)
    place = site.place(f"env-{number}")
    names = sorted(data["contents"])
    groups = [names[start : start + 3] for start in range(0, len(names), 3)]
    built = 0
    began = time.time()
    while (spent := time.time() - began) < seconds or (spent < 120 and not os.path.exists(data["stop"])):
        group = groups[int((time.time() - data["began"]) / data["phase"]) % len(groups)]
        wanted = sorted(chosen.sample(group, 2))
        place.session(wanted)
        check(site, place.prefix, wanted, data["contents"])
        built += 1
        if chosen.random() < 0.7:
            shutil.rmtree(place.prefix)
            forget_root(place.environment().store, place.prefix)
    shutil.rmtree(place.prefix, ignore_errors=True)
    print(built)


if __name__ == "__main__":
    main()
