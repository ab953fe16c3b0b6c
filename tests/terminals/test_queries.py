"""Queries are found in history, and nothing else is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.terminals.queries import MAX_SEQUENCE_BYTES, blank_queries, remove_queries, whole_sequences

QUERIES = [
    "\x1b[5n",
    "\x1b[6n",
    "\x1b[?6n",
    "\x1b[?996n",
    "\x1b[c",
    "\x1b[0c",
    "\x1b[>c",
    "\x1b[>0c",
    "\x1b[=c",
    "\x1bZ",
    "\x1b[>q",
    "\x1b[>0q",
    "\x1b[?2026$p",
    "\x1b[4$p",
    "\x1b[1;1;1;1;10;10*y",
    "\x1b[x",
    "\x1b[1x",
    "\x1b[?u",
    "\x1b[14t",
    "\x1b[18t",
    "\x1b[21t",
    "\x1b[14;2t",
    "\x1bP$qm\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\x1b]11;?\x07",
    "\x1b]10;?\x1b\\",
    "\x1b]4;1;?\x07",
    "\x1b]4;1;?;2;?\x1b\\",
    "\x1b]52;c;?\x07",
]

OTHERS = [
    "plain text with 6n and c",
    "\x1b[31mred\x1b[0m",
    "\x1b[2J\x1b[H",
    "\x1b[?25l\x1b[?2004h",
    "\x1b[22;0t",
    "\x1b[8;24;80t",
    "\x1b]0;a title?\x07",
    "\x1b]2;why?\x1b\\",
    "\x1b]11;#ffffff\x07",
    "\x1b]52;c;aGVsbG8=\x07",
    "\x1b]8;;https://example.org/?q\x1b\\",
    "\x1b[4 q",
    "\x1b[!p",
    "\x1b(B",
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_is_taken_out(query: str) -> None:
    assert remove_queries(f"a{query}é") == "aé"
    assert blank_queries(f"a{query}é".encode()) == b"a" + bytes(len(query)) + "é".encode()


@pytest.mark.parametrize("other", OTHERS)
def test_what_is_no_query_stays(other: str) -> None:
    assert remove_queries(other) == other
    assert blank_queries(other.encode()) == other.encode()


@given(st.lists(st.sampled_from([*QUERIES, *OTHERS, "é", "\n", "x" * 50]), max_size=40), st.integers(1, 400))
def test_pieces_that_end_with_whole_sequences_hide_no_query(parts: list[str], size: int) -> None:
    output = "".join(parts).encode()
    rest, blanked = output, b""
    while rest:
        piece = rest[: max(size, MAX_SEQUENCE_BYTES)]
        if len(piece) < len(rest):
            piece = piece[: whole_sequences(piece)]
        assert piece
        blanked += blank_queries(piece)
        rest = rest[len(piece) :]
    assert blanked == blank_queries(output)


@pytest.mark.parametrize("tail", ["\x1b", "\x1b[", "\x1b[?6", "\x1b]11;", "\x1b]11;?", "\x1b]11;?\x1b", "\x1bP$q"])
def test_a_sequence_that_is_half_told_is_left_for_the_next_piece(tail: str) -> None:
    assert whole_sequences(b"some text" + tail.encode()) == len("some text")
    assert whole_sequences(tail.encode()) == len(tail)  # there would be no progress otherwise


@pytest.mark.parametrize("tail", ["", "\x1b[6n", "\x1b[0m", "\x1b]11;?\x07", "\x1b]11;?\x1b\\", "\x1bZ"])
def test_a_whole_sequence_ends_a_piece(tail: str) -> None:
    assert whole_sequences(b"some text" + tail.encode()) == len("some text") + len(tail)


@pytest.mark.parametrize("head", ["\x1b]11;", "\x1b]4;", "\x1bP$q", "\x1b[", "\x1b[>", "\x1b"])
@pytest.mark.parametrize("body", ["?", "1;", ";?", "x", "\x1b]11;", "\x1b]11;?", "\x1b[1"])
def test_output_that_is_made_to_be_hard_costs_no_more_than_any(head: str, body: str) -> None:
    """64 KB took half a minute once, and the server stood still meanwhile."""
    output = (head + body * 65536)[:65536]
    began_s = time.process_time()
    remove_queries(output), blank_queries(output.encode())
    assert time.process_time() - began_s < 0.5


def test_an_endless_sequence_does_not_hold_up_the_rest() -> None:
    output = b"\x1b]0;" + b"x" * 10 * MAX_SEQUENCE_BYTES
    assert whole_sequences(output) == len(output)
