"""``python -m nox_linkenv``: the command ``linkenv``."""

from __future__ import annotations

import sys

from nox_linkenv.cli import main

if __name__ == "__main__":
    sys.exit(main())
