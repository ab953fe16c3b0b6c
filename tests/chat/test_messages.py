"""Lengths are JavaScript's, and ids cannot be taken for those of events."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.chat.messages import MessageId, utf16_length


@pytest.mark.parametrize(("text", "length"), [("", 0), ("a", 1), ("é", 1), ("e\u0301", 2), ("😀", 2), ("\ud83d", 1)])
def test_a_text_is_as_long_as_javascript_says(text: str, length: int) -> None:
    assert utf16_length(text) == length


@given(st.text(), st.text())
def test_the_lengths_of_pieces_add_up(one: str, other: str) -> None:
    assert utf16_length(one) + utf16_length(other) == utf16_length(one + other)
    assert utf16_length(one) == sum(2 if c > "\uffff" else 1 for c in one)


@pytest.mark.parametrize("id", ["", "m" * 65, "m1:2", "m1:started", ":"])
def test_an_id_that_could_be_an_events_is_none(id: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(id, MessageId)
