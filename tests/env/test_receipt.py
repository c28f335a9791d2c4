"""Receipts: whole or not there, whatever happened."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from nox_linkenv.env.receipt import DIRECTORY, Receipt, read_receipt, remove_receipt, write_receipt
from nox_linkenv.store.notes import seal
from tests.env.tool import FACTS

if TYPE_CHECKING:
    from pathlib import Path

RECEIPT = Receipt(
    store="/a/store \u00e9",
    interpreter="/usr/bin/python3.12",
    facts=FACTS,
    skeleton="skeletons/x.json",
    session="tests-3.12(a='b')",
    plans=("plans/aa/b.json", "plans/bb/c.json"),
)


def receipt_path(prefix: Path) -> Path:
    return prefix / DIRECTORY / "receipt.json"


@pytest.mark.parametrize("receipt", [RECEIPT, Receipt("/s", "/p", FACTS, None, "")])
def test_round_trip(receipt: Receipt, tmp_path: Path) -> None:
    write_receipt(str(tmp_path), receipt)
    assert read_receipt(str(tmp_path)) == receipt
    assert os.listdir(tmp_path / DIRECTORY) == ["receipt.json"]


def test_new_one_replaces_the_old_one(tmp_path: Path) -> None:
    held = tmp_path / "held"
    write_receipt(str(tmp_path), RECEIPT)
    held.hardlink_to(receipt_path(tmp_path))
    before = held.read_bytes()
    write_receipt(str(tmp_path), Receipt("/s", "/p", FACTS, None, ""))
    assert held.read_bytes() == before
    remove_receipt(str(tmp_path))
    assert read_receipt(str(tmp_path)) is None
    remove_receipt(str(tmp_path))
    remove_receipt(str(tmp_path / "nowhere"))


def test_no_receipt(tmp_path: Path) -> None:
    assert read_receipt(str(tmp_path)) is None
    assert read_receipt(str(tmp_path / "nowhere")) is None
    receipt_path(tmp_path).mkdir(parents=True)
    assert read_receipt(str(tmp_path)) is None


def test_half_written(tmp_path: Path) -> None:
    """Cut anywhere: none.  A rest of an interrupted writing does not count and does not hinder."""
    write_receipt(str(tmp_path), RECEIPT)
    whole = receipt_path(tmp_path).read_bytes()
    for length in range(0, len(whole), 7):
        receipt_path(tmp_path).write_bytes(whole[:length])
        assert read_receipt(str(tmp_path)) is None
    receipt_path(tmp_path).unlink()
    (tmp_path / DIRECTORY / "receipt.new").write_bytes(whole)
    assert read_receipt(str(tmp_path)) is None
    write_receipt(str(tmp_path), RECEIPT)
    assert read_receipt(str(tmp_path)) == RECEIPT


@pytest.mark.parametrize(
    "change",
    [
        {"format": 3},
        {"facts": {}},
        {"facts": None},
        {"facts": {**FACTS.to_json(), "schemes": []}},
        {"facts": {**FACTS.to_json(), "schemes": {"stdlib": "x"}}},
        {"facts": {**FACTS.to_json(), "more": 1}},
        {"plans": None},
        {"plans": ["plans/../../../secret.json"]},
        {"plans": ["plans/../x.json"]},
        {"plans": ["plans/..../x.json"]},
        {"plans": ["/plans/aa/b.json"]},
        {"plans": ["plans/aa/\0.json"]},
        {"plans": ["skeletons/x.json"]},
        {"plans": [3]},
        {"skeleton": "skeletons/../../x.json"},
        {"skeleton": "skeletons/...json"},
        {"skeleton": ["skeletons/x.json"]},
    ],
    ids=str,
)
def test_receipt_of_another_kind(change: dict[str, object], tmp_path: Path) -> None:
    write_receipt(str(tmp_path), RECEIPT)
    data = json.loads(receipt_path(tmp_path).read_text())["note"] | change
    receipt_path(tmp_path).write_bytes(seal("receipt", json.dumps(data)))
    assert read_receipt(str(tmp_path)) is None


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"3", b"\xff\xfe", b"\0" * 100])
def test_receipt_that_is_none(content: bytes, tmp_path: Path) -> None:
    write_receipt(str(tmp_path), RECEIPT)
    receipt_path(tmp_path).write_bytes(content)
    assert read_receipt(str(tmp_path)) is None
