"""Events are the same however the network cuts them, and only real line ends end a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.assistants.events import MAX_EVENT_BYTES, ChatDelta, EventSplitter, MalformedEvent, read_event

LINES = ["data: a", "data:b", "data:  c", "data: \u2028\x0b\x85d", "", "", ": comment", "event: x", "id", "data"]


def split(*chunks: bytes) -> list[bytes]:
    splitter = EventSplitter()
    return [*(data for chunk in chunks for data in splitter.feed(chunk)), *splitter.rest()]


def test_events_are_what_the_standard_says() -> None:
    stream = "data: a\n\n\n: x\r\ndata:b\r\ndata:  c\r\n\r\nevent: e\rdata: \u2028\x0bd\r\r\ndata: last"
    assert split(stream.encode()) == [b"a", b"b\n c", "\u2028\x0bd".encode(), b"last"]


@given(st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(["\n", "\r\n", "\r"]))), st.data())
def test_where_the_network_cuts_does_not_matter(lines: list[tuple[str, str]], data: st.DataObject) -> None:
    stream = "".join(line + end for line, end in lines).encode()
    at = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[start:end] for start, end in zip([0, *at], [*at, len(stream)], strict=True)]
    assert split(*chunks) == split(stream)


@pytest.mark.parametrize("chunk", [b"data: " + b"x" * 1000, b"data: " + b"x" * 1000 + b"\n"])
def test_an_event_without_an_end_is_no_event(chunk: bytes) -> None:
    splitter = EventSplitter()
    with pytest.raises(MalformedEvent):
        for _ in range(MAX_EVENT_BYTES // 1000 + 1):
            assert not list(splitter.feed(chunk))


def test_only_text_is_for_people() -> None:
    assert ChatDelta(content="a", refusal="b").text == "ab"
    assert ChatDelta(content=[{"type": "thinking"}], refusal=None).text == ""


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"3", b'{"choices": 3}', b"\xff", b'{"usage": {"prompt_tokens": "x"}}']
)
def test_what_is_no_event_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedEvent):
        read_event(data)
