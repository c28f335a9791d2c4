"""Which interpreter gets a wheel anew whose stored files are damaged."""

from __future__ import annotations

import sys

import pytest

from nox_linkenv.provision.reverify import version_for

_HERE = f"cp3{sys.version_info.minor}"
_FREE = "t" if "t" in getattr(sys, "abiflags", "") else ""


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("py3-none-any", None),
        ("py2.py3-none-any", None),
        (f"{_HERE}-{_HERE}{_FREE}-linux_x86_64", None),
        ("cp38-cp38-linux_x86_64", "3.8"),
        ("cp39.cp38-none-any", "3.9"),
        ("cp399-cp399-linux_x86_64", "3.99"),
        ("cp39.cp399-none-any", "3.99"),
        ("cp399-cp399t-linux_x86_64", "3.99t"),
        ("cp399-cp399td-linux_x86_64", "3.99t"),
        pytest.param("cp38-abi3-linux_x86_64", None, marks=pytest.mark.skipif(bool(_FREE), reason="abi3 needs a GIL")),
        ("cp399-abi3-linux_x86_64", "3.99"),
        pytest.param(
            f"{_HERE}-{_HERE}t-linux_x86_64",
            f"3.{sys.version_info.minor}t",
            marks=pytest.mark.skipif(bool(_FREE), reason="this is such an interpreter"),
        ),
    ],
)
def test_version_for(tags: str, expected: str | None) -> None:
    assert version_for(f"demo @ https://example.org/demo-1.0-{tags}.whl#sha256=0") == expected
    assert version_for("demo @ https://example.org/demo-1.0.tar.gz") is None
