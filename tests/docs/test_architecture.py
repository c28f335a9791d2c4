"""The layers that the documentation shows are those that are checked."""

from __future__ import annotations

from pathlib import Path

import tomli

_ROOT = Path(__file__).parents[2]


def test_the_layers_are_those_of_the_contract() -> None:
    linter = tomli.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    contract = next(contract for contract in linter["contracts"] if contract["type"] == "layers")
    assert contract["exhaustive"], "no module stands outside"
    block = (_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("```")[1]
    assert [line.partition("  ")[0] for line in block.splitlines()[1:]] == contract["layers"]
