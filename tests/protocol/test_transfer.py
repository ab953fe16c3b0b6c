"""The file stream's messages: they survive the wire, and whatever else comes is an error of the protocol."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.protocol import transfer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import ErrorInfo, HubError, RemoteProtocolError
from jupyter_ws_hub.protocol.transfer import (
    Credit,
    Done,
    EntryResult,
    Finish,
    Settled,
    StreamAck,
    StreamError,
    StreamHello,
    StreamPing,
    StreamPong,
    StreamWelcome,
    TreeEntries,
    TreeEntry,
    decode_stream_client,
    decode_stream_server,
    encode_stream,
)

UNHURRIED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ENTRIES = TreeEntries(7, [TreeEntry("a/b", 3, mtime_ms=5, root="ab"), TreeEntry("c", type="directory")])
CLIENT = [
    StreamHello(),
    StreamHello(5, 2, True),
    Finish(3, "ab"),
    Finish(3, entries=4),
    Credit(7),
    ENTRIES,
    StreamPing(),
]
SERVER = [
    StreamWelcome("upload", "d\u00e9/a", 1, 0, 9, 9, transfer.BLOCK_BYTES, "xxh3-128"),
    StreamAck(3, 2, 1),
    Credit(2**40),
    ENTRIES,
    Settled(2, [EntryResult(1, "failed", error=ErrorInfo("exists", "No.", False))]),
    StreamPong(),
    Done("a", 3, "ab", "etag", "A hook failed."),
    StreamError(ErrorInfo("wrong_offset", "No.", False), expected=4),
]


@pytest.mark.parametrize("message", CLIENT, ids=repr)
def test_client_messages_survive_the_wire(message: transfer.StreamClientMessage) -> None:
    assert decode_stream_client(encode_stream(message)) == message


@pytest.mark.parametrize("message", SERVER, ids=lambda message: type(message).__name__)
def test_server_messages_survive_the_wire(message: transfer.StreamServerMessage) -> None:
    assert decode_stream_server(encode_stream(message)) == message


@pytest.mark.parametrize("decode", [decode_stream_client, decode_stream_server])
@UNHURRIED
@given(st.text() | st.builds('{{"type":"{}","{}":{}}}'.format, *[st.text(max_size=6)] * 3))
def test_any_text_is_a_message_or_a_protocol_error(decode: Any, text: str) -> None:
    try:
        decode(text)
    except HubError as error:
        assert error.code is (Code.BAD_FRAME if isinstance(error, RemoteProtocolError) else Code.UNKNOWN_TYPE)


@pytest.mark.parametrize("decode", [decode_stream_client, decode_stream_server])
@pytest.mark.parametrize(
    "text",
    [
        '{"type":"credit","limit":%s}' % ("9" * 5000),
        '{"type":"credit","limit":NaN}',
        '{"type":"credit","limit":1,"x":"\ud800"}',
        '{"type":"credit","limit":1,"x":' + "[" * 5000 + "]" * 5000 + "}",
        '{"type":"credit"}',
        '[{"type":"credit","limit":1}]',
        "",
    ],
    ids=["many digits", "NaN", "lone surrogate", "deep", "a field missing", "an array", "empty"],
)
def test_what_is_no_message_is_a_bad_frame(decode: Any, text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(text)
    assert caught.value.code is Code.BAD_FRAME


def test_an_unknown_type_is_told_from_what_is_no_message() -> None:
    with pytest.raises(HubError) as caught:
        decode_stream_client('{"type":"teleport"}')
    assert caught.value.code is Code.UNKNOWN_TYPE
    assert not isinstance(caught.value, RemoteProtocolError)
