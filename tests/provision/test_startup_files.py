"""What an interpreter reads when it starts: ``.pth`` files, and on Python 3.15 and newer ``.start`` files (PEP 829)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from tests.provision.tool import Site

_SHOW: Final = "import json, sys; print(json.dumps([sys.version_info >= (3, 15), sys.began]))"


def test_a_start_file_is_run_once_and_the_lines_of_its_pth_file_are_not(here: Site) -> None:
    note = "sys.__dict__.setdefault('began', []).append"
    make_wheel(
        here.wheels,
        "starting",
        "1.0",
        {
            "starting.py": f"import sys\n\n\ndef go():\n    {note}('start')\n".encode(),
            "starting.start": b"starting:go\n",
            "starting.pth": f"import sys; {note}('beside')\n".encode(),
            "other.pth": f"import sys; {note}('pth')\n".encode(),
        },
    )
    place = here.place()
    for _ in range(2):
        place.session(["starting"])
        knows, began = json.loads(place.run(_SHOW))
        assert began.count("start") == int(knows)
        # Where a virtual environment's site-packages are read twice, so are its .pth files.
        assert {*began} == ({"start", "pth"} if knows else {"beside", "pth"})
        for name in ("starting.start", "starting.pth"):  # written anew: who changes one changes no other environment
            assert (place.packages / name).stat().st_nlink == 1
