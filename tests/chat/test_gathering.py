"""What is gathered is given whole, in pieces that can be sent, whatever a provider cut in two."""

from __future__ import annotations

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.chat.gathering import MAX_PIECE_CHARACTERS, Gathered, whole_characters
from jupyter_ws_hub.chat.messages import utf16_length

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=[chr(n) for n in range(32)] + ["\x7f"]))


def halves(text: str) -> str:
    """As a provider has it whose units are JavaScript's."""
    units = text.encode("utf-16-le")
    return "".join(chr(int.from_bytes(units[n : n + 2], "little")) for n in range(0, len(units), 2))


@given(TEXTS, st.lists(st.integers(0, 100), max_size=20), st.sets(st.integers(0, 20)))
def test_any_split_and_any_moment_of_taking_give_the_text(text: str, cuts: list[int], takes: set[int]) -> None:
    units = halves(text)
    places = [0, *sorted(cut for cut in cuts if cut <= len(units)), len(units)]
    gathered, told = Gathered(1_000_000), ""
    for n, (start, end) in enumerate(pairwise(places)):
        assert gathered.add(units[start:end])
        if n in takes:
            piece = gathered.take()
            msgspec.json.encode(piece)  # it can be sent
            told += piece
    while piece := gathered.take(last=True):
        told += piece
    assert told == text


@given(st.lists(st.text(st.characters(categories=["Cs", "L"]), max_size=5)))
def test_lone_halves_are_replaced_and_never_sent(pieces: list[str]) -> None:
    gathered, told = Gathered(1_000), ""
    for piece in pieces:
        gathered.add(piece)
        told += gathered.take()
    told += gathered.take(last=True)
    msgspec.json.encode(told)
    assert utf16_length(told) == sum(map(utf16_length, pieces))
    assert told == whole_characters("".join(pieces))


def test_control_characters_are_left_out_and_lines_stay() -> None:
    gathered = Gathered(100)
    gathered.add("a\x00b\x1b[31m\tc\r\nd\x7f")
    assert gathered.take() == "ab[31m\tc\r\nd"


def test_what_has_no_room_is_left_out_and_told() -> None:
    gathered = Gathered(5)
    assert gathered.add("12345")
    assert not gathered.add("6")
    assert gathered.take() == "12345"
    assert gathered.take() == ""
    gathered = Gathered(5)
    assert not gathered.add("x" * 10_000_000)
    assert gathered.take() == "xxxxx"


def test_a_large_piece_is_told_in_several() -> None:
    gathered = Gathered(100_000)
    gathered.add("😀" * 40_000)
    pieces = []
    while piece := gathered.take():
        pieces.append(piece)
    assert "".join(pieces) == "😀" * 40_000
    assert max(map(len, pieces)) == MAX_PIECE_CHARACTERS
