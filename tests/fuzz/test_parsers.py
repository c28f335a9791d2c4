"""Whatever others have written is read, or refused with the error that says so: no other error, and no hang.

A text that a parser falls over is saved in ``corpus``, by the parser's name, and tried again by every run of the suite.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.parsers import NOTES, PARSERS
from tests.maintenance.tool import no_hang

if TYPE_CHECKING:
    from tests.support.reliability import Reliability

_CORPUS: Final = Path(__file__).with_name("corpus")
#: How many texts are tried of each.
_TRIES: Final = 1_000
#: Bytes that mean something somewhere, besides any.
_PIECES: Final = (
    *(bytes([byte]) for byte in b"\0\n\r,;=[]{}()\"'\\/.-:#@$ \x1a\xff"),
    *(b"..", b"\na = " + b"[" * 3000, b'"""', b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"\xef\xbb\xbf", b"${NAME}"),
    *(b"-1", b"9" * 5000, b"null", b"NaN", b"1e999", b"\xed\xa0\x80", b"coding: hex", b"\\ud800"),
)  # fmt: skip


def _try(name: str, data: bytes) -> bool:
    """Have the text read, and return whether it was; save it where the parser falls over it."""
    parser = PARSERS[name]
    try:
        parser.parse(data)
    except parser.refusals:
        return False
    except Exception as error:
        _save(name, data, error)
        raise
    return True


def _save(name: str, data: bytes, error: Exception) -> None:
    """Keep *data*, unless a shorter text that ends in such an error was kept."""
    place = _CORPUS / name.replace(" ", "-")
    place.mkdir(parents=True, exist_ok=True)
    path = place / type(error).__name__
    if not path.exists() or len(path.read_bytes()) > len(data):
        path.write_bytes(data)


@st.composite
def _damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """One of *seeds* with a few pieces overwritten, put in, or cut out."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        how = draw(st.sampled_from(("over", "in", "out", "end")))
        piece = draw(st.one_of(st.sampled_from(_PIECES), st.binary(min_size=1, max_size=8)))
        if how == "over":
            data[at : at + len(piece)] = piece
        elif how == "in":
            data[at:at] = piece
        elif how == "out":
            del data[at : at + draw(st.integers(1, 64))]
        else:
            del data[at:]
    return bytes(data)


_VALUES: Final = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([2**63, 2**64, -1, 10**400, float("inf"), float("nan"), 0.5]),
        st.text(max_size=8),
        st.sampled_from(["../x", "/etc/passwd", "a/../b", "\0", "", ".", "x" * 300, "objects/ab/cd"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def _reshaped(draw: st.DrawFn, whole: Any) -> Any:
    """The JSON value *whole* with another value somewhere in it, or without it."""
    if not whole or not isinstance(whole, (dict, list)) or draw(st.integers(0, 9)) == 0:
        return draw(_VALUES)
    keys: list[Any] = list(whole) if isinstance(whole, dict) else list(range(len(whole)))
    key = draw(st.sampled_from(keys))
    copy = dict(whole) if isinstance(whole, dict) else list(whole)
    if draw(st.integers(0, 9)) == 0:
        del copy[key]
    else:
        copy[key] = draw(_reshaped(whole[key]))
    return copy


_quick = settings(max_examples=_TRIES, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_damaged_texts(name: str, reliability: Reliability) -> None:
    seeds = PARSERS[name].seeds()
    for seed in seeds:
        assert _try(name, seed), "what is damaged is to be right before"
    read: list[bool] = []

    @_quick
    @given(_damaged(seeds))
    def run(data: bytes) -> None:
        read.append(_try(name, data))

    with no_hang(120):
        run()
    assert not all(read) or not PARSERS[name].refusals
    reliability("fuzz", (name, len(read), read.count(False), 0))


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTES)
def test_notes_of_another_shape(name: str, reliability: Reliability) -> None:
    whole = json.loads(NOTES[name][0]())
    read: list[bool] = []

    @_quick
    @given(_reshaped(whole))
    def run(data: object) -> None:
        read.append(_try(f"note {name}", json.dumps(data).encode()))

    with no_hang(120):
        run()
    assert False in read
    reliability("fuzz", (f"{name} of another shape", len(read), read.count(False), 0))


_SAVED: Final = sorted(path.relative_to(_CORPUS).as_posix() for path in _CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("saved", _SAVED)
def test_what_was_found_before(saved: str) -> None:
    names = {name.replace(" ", "-"): name for name in PARSERS}
    with no_hang():
        _try(names[saved.partition("/")[0]], (_CORPUS / saved).read_bytes())


def test_every_parser_reads_its_seeds() -> None:
    for name, parser in PARSERS.items():
        for seed in parser.seeds():
            assert _try(name, seed), name
