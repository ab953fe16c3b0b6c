"""The golden frames in tests/vectors, which jest reads too, hold for the Python codec.

`messages` is what the codec puts on the wire for the decoded frame: all fields, but those which the server leaves out
where they are not set (an event's `prev`, a reply's `result` and `error`, an error's `retry_after_ms` and `details`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from jupyter_ws_hub.protocol.codec import (
    Malformed,
    decode_chunk,
    decode_client_frame,
    decode_server_frame,
    encode,
    encode_chunk,
)
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError, RemoteProtocolError
from jupyter_ws_hub.protocol.messages import ClientMessage, ServerMessage
from jupyter_ws_hub.protocol.transfer import (
    StreamClientMessage,
    StreamServerMessage,
    decode_stream_client,
    decode_stream_server,
    encode_stream,
)

FOLDER: Final = Path(__file__).parent.parent / "vectors"
CLIENT: Final[dict[str, list[Any]]] = json.loads((FOLDER / "hub_client_frames.json").read_text())
SERVER: Final[dict[str, list[Any]]] = json.loads((FOLDER / "hub_server_frames.json").read_text())
STREAM: Final[dict[str, list[Any]]] = json.loads((FOLDER / "file_stream_text.json").read_text())
CHUNKS: Final[dict[str, list[Any]]] = json.loads((FOLDER / "chunks.json").read_text())


def named(value: Any) -> str | None:
    return str(value["name"]) if isinstance(value, dict) else None


def covers(given: Any, expected: Any) -> bool:
    """Whether `given` has everything that `expected` has: what a client sees that knows no defaults."""
    if isinstance(expected, dict):
        return isinstance(given, dict) and all(
            key in given and covers(given[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return len(given) == len(expected) and all(covers(*pair) for pair in zip(given, expected, strict=True))
    return bool(given == expected)


def decode_stream(direction: str, frame: str) -> StreamClientMessage | StreamServerMessage:
    return decode_stream_client(frame) if direction == "client" else decode_stream_server(frame)


@pytest.mark.parametrize("case", CLIENT["valid"], ids=named)
def test_client_frames_give_their_messages(case: Any) -> None:
    decoded = [m for m in decode_client_frame(case["frame"]) if not isinstance(m, Malformed)]
    assert [json.loads(encode(message)) for message in decoded] == case["messages"]


@pytest.mark.parametrize("case", CLIENT["invalid"], ids=named)
def test_invalid_client_frames_end_the_connection(case: Any) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_client_frame(case["frame"])
    assert caught.value.code.wire_name == case["code"]


@pytest.mark.parametrize("case", CLIENT["malformed"], ids=named)
def test_malformed_client_messages_are_answered(case: Any) -> None:
    (message,) = decode_client_frame(case["frame"])
    assert isinstance(message, Malformed)
    assert (message.ref, message.error.code.wire_name) == (case["ref"], case["code"])


@pytest.mark.parametrize("case", SERVER["valid"], ids=named)
def test_server_frames_give_their_messages(case: Any) -> None:
    decoded = decode_server_frame(case["frame"])
    assert [json.loads(encode(message)) for message in decoded] == case["messages"]


@pytest.mark.parametrize("case", SERVER["valid"], ids=named)
def test_server_frames_need_no_defaults_on_the_other_side(case: Any) -> None:
    assert covers(json.loads(case["frame"]), case["messages"])


@pytest.mark.parametrize("case", SERVER["invalid"], ids=named)
def test_invalid_server_frames_are_refused(case: Any) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_server_frame(case["frame"])
    assert caught.value.code.wire_name == case["code"]


@pytest.mark.parametrize("case", STREAM["valid"], ids=named)
def test_stream_texts_give_their_message(case: Any) -> None:
    message = decode_stream(case["direction"], case["frame"])
    assert [json.loads(encode_stream(message))] == case["messages"]
    assert case["direction"] == "client" or covers([json.loads(case["frame"])], case["messages"])


@pytest.mark.parametrize("case", STREAM["invalid"], ids=named)
def test_invalid_stream_texts_are_refused(case: Any) -> None:
    with pytest.raises(HubError) as caught:
        decode_stream(case["direction"], case["frame"])
    assert caught.value.code.wire_name == case["code"]


@pytest.mark.parametrize("case", CHUNKS["valid"], ids=named)
def test_chunks_give_their_place_and_payload(case: Any) -> None:
    frame = bytes.fromhex(case["hex"])
    chunk = decode_chunk(frame)
    assert (chunk.byte_offset, chunk.file_index) == (case["byte_offset"], case["file_index"])
    assert chunk.payload.hex() == case["payload"]
    encoded = encode_chunk(chunk.byte_offset, chunk.payload, chunk.file_index)
    assert encoded == frame[:1] + bytes(3) + frame[4:]


@pytest.mark.parametrize("case", CHUNKS["invalid"], ids=named)
def test_invalid_chunks_are_refused(case: Any) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_chunk(bytes.fromhex(case["hex"]))
    assert caught.value.code.wire_name == case["code"]


@pytest.mark.parametrize(
    ("cases", "union"),
    [
        (CLIENT["valid"], ClientMessage),
        (SERVER["valid"], ServerMessage),
        ([case for case in STREAM["valid"] if case["direction"] == "client"], StreamClientMessage),
        ([case for case in STREAM["valid"] if case["direction"] == "server"], StreamServerMessage),
    ],
    ids=["hub client", "hub server", "stream client", "stream server"],
)
def test_every_message_type_has_a_golden_frame(cases: list[Any], union: Any) -> None:
    seen = {message["type"] for case in cases for message in case["messages"]}
    assert seen == {kind.__struct_config__.tag for kind in get_args(union)}


@pytest.mark.parametrize("vectors", [CLIENT, SERVER, STREAM, CHUNKS], ids=["client", "server", "stream", "chunks"])
def test_the_vectors_have_names_of_their_own_and_codes_of_the_table(vectors: dict[str, list[Any]]) -> None:
    for cases in vectors.values():
        names = [(case["name"], case.get("direction")) for case in cases]
        assert len(set(names)) == len(names)
        assert {case["code"] for case in cases if "code" in case} <= {code.wire_name for code in Code}
