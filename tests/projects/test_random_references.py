"""What requests lead to on this disk, changed in any order: what is installed is what stands there at that moment.

Unlike around a project (``test_random_surroundings``) it is known without a second build what has to come: each thing
holds a value, and the one that was asked for has to be the one that is installed.  A seed that has once found
something is to be kept in the list.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

from tests.projects.tool import Bench, git, make_value_project
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

_STEPS: Final = 15
_SEEDS: Final = (1, 2)
_TIME: Final = (1_700_000_000, 1_700_000_000)
#: What may be said besides, and changes nothing of the outcome in a fresh environment.
_OPTIONS: Final = (
    (), (), (), ("-v",), ("-I",), ("--force-reinstall",), ("--exists-action", "w"), ("--use-feature", "fast-deps"),
    ("--only-binary", "nothing"), ("--no-binary", "nothing"), ("-c", "constraints.txt"),
)  # fmt: skip


@dataclass
class _World:
    """Things that requests lead to, each with a value, and the seeded chance that changes them."""

    base: Path
    chance: random.Random
    values: dict[str, str] = field(default_factory=dict)
    constrained: int = 0

    def __post_init__(self) -> None:
        (self.base / "simple" / "bb").mkdir(parents=True)
        for place in ("wheels", "links"):
            (self.base / place).mkdir()
        make_value_project(self.base / "bb", "bb")
        git(self.base / "bb", "init", "-q", "-b", "main")
        for thing in self.things:
            self.set(thing, "one")
        git(self.base / "bb", "add", ".")
        git(self.base / "bb", "commit", "-q", "-m", "one")
        wheel = next((self.base / "wheels").iterdir())
        repository = (self.base / "bb").as_uri()
        for name, requirement in (("byfile", wheel.as_uri()), ("bybranch", f"git+{repository}@main")):
            plain = f"Requires-Dist: bb @ {requirement}\n"
            extra = f'Provides-Extra: more\nRequires-Dist: bb @ {requirement} ; extra == "more"\n'
            make_value_project(self.base / name, name, more=plain)
            make_value_project(self.base / f"{name}x", f"{name}x", more=extra)
            metadata = f"Metadata-Version: 2.1\nName: {name}w\nVersion: 1.0\n{plain}"
            make_wheel(self.base, f"{name}w", "1.0", {f"{name}w.py": b""}, metadata=metadata.encode())
        (self.base / "nested.txt").write_text("-r file.txt\n")
        (self.base / "constraints.txt").write_text("")

    @property
    def things(self) -> tuple[str, ...]:
        return ("wheel", "branch", "links", "index")

    def set(self, thing: str, value: str) -> None:
        """Give *thing* another value: where it is a file, the same file with the same size and time."""
        self.values[thing] = value
        if thing == "branch":
            (self.base / "bb" / "VALUE").write_text(value)
            if (self.base / "bb" / ".git" / "refs" / "heads" / "main").exists():
                git(self.base / "bb", "commit", "-q", "-a", "--allow-empty", "-m", "next")
            return
        place = {"wheel": "wheels", "links": "links", "index": "simple/bb"}[thing]
        made = make_wheel(self.base, "bb", "1.0", {"bb.py": f"VALUE = {value!r}\n".encode()}, method=0)
        kept = self.base / place / made.name
        with kept.open("r+b" if kept.exists() else "wb") as stream:
            stream.write(made.read_bytes())
        made.unlink()
        os.utime(kept, _TIME)
        if thing == "index":
            page = self.base / place / "index.html"
            page.write_text(f'<a href="{kept.name}">{kept.name}</a>\n')
            os.utime(page, _TIME)

    def change(self, what: str) -> None:
        """Change *what*: a thing, any ``other`` one, the constraints, or nothing."""
        what = self.chance.choice(self.things) if what == "other" else what
        if what in self.values:
            self.set(what, self.chance.choice([value for value in ("one", "two", "six") if value != self.values[what]]))
        elif what == "constraints":
            self.constrained += 1
            (self.base / "constraints.txt").write_text(f"other<{self.constrained}\n")

    def request(self) -> tuple[list[str], str]:
        """Return arguments of pip, and the thing whose value has to be installed."""
        thing = self.chance.choice(self.things)
        if thing == "links":
            form = ["--no-index", "--find-links", str(self.base / "links"), "bb"]
        elif thing == "index":
            form = ["--index-url", (self.base / "simple").as_uri(), "bb"]
        else:
            name = "byfile" if thing == "wheel" else "bybranch"
            projects = [f"./{name}", f"./{name}x[more]", f"{name} @ {(self.base / name).as_uri()}"]
            editables = [f"./{name}", f"./{name}x[more]", (self.base / name).as_uri()]
            wheel = f"./{name}w-1.0-py3-none-any.whl"
            form = self.chance.choice(
                [*([word] for word in [*projects, wheel]), *(["-e", word] for word in editables), ["-r", "nested.txt"]]
            )
            if form[0] == "-r":
                (self.base / "file.txt").write_text(f"{self.chance.choice(['', '-e '])}./{name}\n")
        return [*self.chance.choice(_OPTIONS), *form], thing


@pytest.mark.slow
@pytest.mark.parametrize("seed", _SEEDS)
def test_what_is_asked_for_is_what_stands_there(bench: Bench, tmp_path: Path, seed: int) -> None:
    world = _World(tmp_path, random.Random(seed))
    done: list[object] = []
    reused = 0
    for _ in range(_STEPS):
        arguments, thing = world.request()
        environ = {"PIP_NO_CACHE_DIR": "1", **({} if thing == "index" else {"PIP_NO_INDEX": "1"})}
        for what in ("", world.chance.choice([thing, thing, "constraints", "other"]), "nothing"):
            world.change(what)
            bench.calls.clear()
            message = bench.install(tmp_path, *arguments, environ=environ).message
            done.append((what, arguments, message))
            found = bench.run("python", "-c", "import bb; print(bb.VALUE)").strip()
            assert found == world.values[thing], "\n".join(map(str, done))
            reused += not bench.calls
        assert not bench.calls or thing == "branch", done[-2:]  # nothing has changed
    assert reused > _STEPS // 2
