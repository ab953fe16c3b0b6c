"""What is framed by hand is read as it was meant by a library that knows the RFC."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from jupyter_ws_hub.handlers.framing import binary_messages, text_message


def read(stream: bytes) -> list[tuple[Opcode, bytes, bool]]:
    """What a client makes of it."""
    peer = ClientProtocol(parse_uri("ws://localhost"), state=State.OPEN, max_size=None)
    peer.receive_data(stream)
    return [
        (event.opcode, bytes(event.data), event.fin) for event in peer.events_received() if isinstance(event, Frame)
    ]


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_binary_messages_arrive_one_by_one(payloads: list[bytes]) -> None:
    assert read(binary_messages(payloads)) == [(Opcode.BINARY, payload, True) for payload in payloads]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_message_of_any_length_arrives_whole(size: int) -> None:
    payload = b"x" * size
    assert read(binary_messages([payload])) == [(Opcode.BINARY, payload, True)]
    assert read(text_message(payload)) == [(Opcode.TEXT, payload, True)]
