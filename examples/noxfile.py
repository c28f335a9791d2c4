"""A test matrix on linked environments: six Python versions, the scientific packages, one import each.

Run it with ``nox -f examples/noxfile.py``. Interpreters that are missing are skipped.
"""

from __future__ import annotations

import nox

nox.options.error_on_missing_interpreters = False  # also on CI, where nox would fail by default

PACKAGES = ("pandas", "scipy", "scikit-learn", "matplotlib")
MODULES = ("pandas", "scipy.stats", "sklearn.linear_model", "matplotlib.pyplot")


@nox.session(python=["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"], venv_backend="linked")
def science(session: nox.Session) -> None:
    """Install pandas, scipy, scikit-learn and matplotlib, and import them."""
    session.install(*PACKAGES)
    session.run("python", "-c", f"import {', '.join(MODULES)}; print('all imported')")
