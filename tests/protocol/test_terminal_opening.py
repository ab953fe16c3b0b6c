"""What a client says in its URL is read as it was meant, or refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import RemoteProtocolError
from jupyter_ws_hub.protocol.terminal import MAX_WINDOW_BYTES, MIN_WINDOW_BYTES, WINDOW_BYTES
from jupyter_ws_hub.protocol.terminal_opening import MAX_BYTE_OFFSET, MAX_SIZE, Opening, parse_opening

OFFSETS = st.integers(0, MAX_BYTE_OFFSET)
SIZES = st.integers(0, MAX_SIZE)
OPENINGS = st.builds(
    Opening,
    client=st.none() | st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    epoch=st.none() | st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    have=OFFSETS,
    sent=OFFSETS,
    rows=SIZES,
    columns=SIZES,
    visible=st.booleans(),
    window=st.integers(MIN_WINDOW_BYTES, MAX_WINDOW_BYTES),
    history=OFFSETS,
)


@given(OPENINGS)
def test_what_one_side_writes_the_other_reads(opening: Opening) -> None:
    assert parse_opening(opening.to_query()) == opening


def test_a_client_need_not_say_anything() -> None:
    assert parse_opening({"token": "x", "something": "else"}) == Opening()
    assert Opening().to_query() == {}


@pytest.mark.parametrize(
    ("asked", "given"),
    [("0", MIN_WINDOW_BYTES), ("1", MIN_WINDOW_BYTES), ("9999999999", MAX_WINDOW_BYTES), ("262144", WINDOW_BYTES)],
)
def test_the_window_is_kept_within_bounds(asked: str, given: int) -> None:
    assert parse_opening({"window": asked}).window == given


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("client", ""),
        ("client", "x" * 65),
        ("client", "a b"),
        ("client", "a\n"),
        ("epoch", "A" * 32),
        ("epoch", "a" * 31),
        ("epoch", "a" * 32 + "\n"),
        ("have", "-1"),
        ("have", "1.5"),
        ("have", "1e3"),
        ("have", ""),
        ("have", "٣"),
        ("have", str(MAX_BYTE_OFFSET + 1)),
        ("sent", "9" * 5000),
        ("rows", "65536"),
        ("columns", " 1"),
        ("visible", "2"),
        ("window", "+1"),
        ("history", "all"),
    ],
)
def test_nonsense_is_refused_by_the_name_of_the_parameter(name: str, text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_opening({name: text})
    assert caught.value.code is Code.INVALID
    assert name in caught.value.message and len(caught.value.message) < 120
