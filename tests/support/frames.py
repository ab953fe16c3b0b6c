"""WebSocket frames of a server, parsed by the websockets library."""

from __future__ import annotations

from collections.abc import Iterator

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri


def frames_in(data: bytes) -> Iterator[bytes]:
    """The payloads of frames that must be whole binary messages, with nothing behind them."""
    parser = ClientProtocol(parse_uri("ws://localhost"), state=State.OPEN, max_size=None)
    parser.receive_data(data)
    taken = 0
    for event in parser.events_received():
        assert isinstance(event, Frame)
        assert (event.opcode, event.fin) == (Opcode.BINARY, True)
        size = len(event.data)
        taken += size + (2 if size < 126 else 4 if size < 65_536 else 10)
        yield bytes(event.data)
    assert taken == len(data)
