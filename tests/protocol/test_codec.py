"""The codec takes whatever a stranger sends, and answers with messages, `Malformed` or `RemoteProtocolError` only."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.protocol import codec
from jupyter_ws_hub.protocol.codec import (
    Malformed,
    decode_chunk,
    decode_client_frame,
    decode_server_frame,
    encode,
    encode_chunk,
    join_frame,
)
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import RemoteProtocolError
from jupyter_ws_hub.protocol.messages import ClientMessage, Event, Live, Ping, Pong, Reply, ServerMessage, Subscribe

UNHURRIED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
INT = st.integers(-(2**63), 2**63)
POSITION = st.fixed_dictionaries({"epoch": st.text(max_size=5), "offset": INT}, optional={"id": st.text(max_size=5)})
CLIENT = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("hello")},
        optional={
            "session": st.none() | st.text(max_size=9),
            "positions": st.dictionaries(st.text(max_size=5), st.none() | POSITION, max_size=3),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.just("subscribe"), "ref": INT, "topic": st.text(max_size=9)},
        optional={"since": st.sampled_from(["earliest", "latest"]) | POSITION},
    ),
    st.fixed_dictionaries(
        {"type": st.just("request"), "ref": INT, "method": st.text(max_size=9), "params": JSON},
        optional={"timeout_ms": st.none() | INT},
    ),
    st.fixed_dictionaries({"type": st.sampled_from(["ping", "pong"]), "t": st.floats(-1e9, 1e9)}),
    st.fixed_dictionaries({"type": st.just("ack")}, optional={"bytes": INT, "done": INT}),
    st.fixed_dictionaries({"type": st.just("cancel"), "ref": INT, "later": JSON}),
)
TAGS = st.sampled_from([*sorted(codec.CLIENT_TYPES), "welcome", "nope", ""])
NEAR_MISS = st.dictionaries(
    st.sampled_from(["ref", "topic", "since", "method", "params", "t", "bytes", "positions", "client", "code"]), JSON
)
MALFORMED = (
    '{"type":"nope","ref":7}',
    '{"type":"subscribe","ref":7}',
    '{"ref":7}',
    '{"type":5,"ref":7}',
    '{"type":"ack","ref":7,"frames":"many"}',
    '{"type":"ping","type":"pong","ref":7}',
)


def frame_of(envelopes: list[dict[str, Any]]) -> str:
    return join_frame(json.dumps(envelope).encode() for envelope in envelopes).decode()


def decode_safely(frame: str | bytes) -> list[ClientMessage | Malformed] | Code:
    """What a frame gives: its messages, or the code that the connection ends with. Nothing else may happen."""
    try:
        messages = decode_client_frame(frame)
    except RemoteProtocolError as error:
        return error.code
    for message in messages:
        if isinstance(message, Malformed):
            assert message.ref is None or type(message.ref) is int
            assert message.error.code in (Code.UNKNOWN_TYPE, Code.INVALID)
    return messages


@UNHURRIED
@given(st.lists(CLIENT, max_size=6), st.data())
def test_however_envelopes_are_split_into_frames_the_same_messages_arrive(
    envelopes: list[dict[str, Any]], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(envelopes)))
    whole = decode_client_frame(frame_of(envelopes))
    assert not any(isinstance(message, Malformed) for message in whole)
    parts = decode_client_frame(frame_of(envelopes[:cut])) + decode_client_frame(frame_of(envelopes[cut:]))
    assert parts == whole


@UNHURRIED
@given(st.lists(CLIENT, max_size=5), st.data())
def test_reordered_and_doubled_envelopes_give_reordered_and_doubled_messages(
    envelopes: list[dict[str, Any]], data: st.DataObject
) -> None:
    order = data.draw(st.lists(st.integers(0, len(envelopes) - 1), max_size=9)) if envelopes else []
    one_by_one = [decode_client_frame(frame_of([envelope]))[0] for envelope in envelopes]
    assert decode_client_frame(frame_of([envelopes[i] for i in order])) == [one_by_one[i] for i in order]


@UNHURRIED
@given(st.lists(CLIENT, max_size=5))
def test_what_is_encoded_is_decoded_as_the_same_messages(envelopes: list[dict[str, Any]]) -> None:
    messages = [m for m in decode_client_frame(frame_of(envelopes)) if not isinstance(m, Malformed)]
    assert decode_client_frame(join_frame(encode(message) for message in messages).decode()) == messages


@UNHURRIED
@given(st.lists(CLIENT, min_size=1, max_size=4), st.data())
def test_a_bad_envelope_does_not_spoil_the_frame(envelopes: list[dict[str, Any]], data: st.DataObject) -> None:
    bad = data.draw(st.sampled_from(MALFORMED))
    place = data.draw(st.integers(0, len(envelopes)))
    parts = [json.dumps(envelope) for envelope in envelopes]
    parts.insert(place, bad)
    messages = decode_client_frame(f"[{','.join(parts)}]")
    spoilt = messages.pop(place)
    assert isinstance(spoilt, Malformed) and spoilt.ref == 7
    assert messages == decode_client_frame(frame_of(envelopes))


@UNHURRIED
@given(st.lists(CLIENT, min_size=1, max_size=3), st.data())
def test_a_frame_that_is_cut_anywhere_is_a_bad_frame(envelopes: list[dict[str, Any]], data: st.DataObject) -> None:
    frame = frame_of(envelopes)
    assert decode_safely(frame[: data.draw(st.integers(0, len(frame) - 1))]) is Code.BAD_FRAME


@UNHURRIED
@given(st.text())
@example("[")
@example("\ufeff[]")
@example("[{}]")
@example("[\x00]")
def test_any_text_is_survived(text: str) -> None:
    decode_safely(text)
    decode_safely(f"[{text}]")
    decode_safely(f'[{{"type":"{text}","ref":{text}}}]')


@UNHURRIED
@given(JSON)
def test_any_json_is_survived_and_only_arrays_of_objects_are_frames(value: Any) -> None:
    result = decode_safely(json.dumps(value))
    is_frame = isinstance(value, list) and all(isinstance(one, dict) for one in value)
    assert (result == Code.BAD_FRAME) != is_frame


@UNHURRIED
@given(st.lists(st.tuples(TAGS, NEAR_MISS), min_size=1, max_size=3))
def test_any_fields_of_any_type_are_survived_one_by_one(near: list[tuple[str, dict[str, Any]]]) -> None:
    result = decode_safely(json.dumps([{"type": tag, **fields} for tag, fields in near]))
    assert isinstance(result, list) and len(result) == len(near)
    for message, (tag, fields) in zip(result, near, strict=True):
        if isinstance(message, Malformed):
            ref = fields.get("ref")
            assert message.ref == (ref if type(ref) is int else None)
        assert tag in codec.CLIENT_TYPES or isinstance(message, Malformed)


@UNHURRIED
@given(st.binary())
@example(b"[]")
def test_any_bytes_are_a_bad_frame_for_the_hub(frame: bytes) -> None:
    assert decode_safely(frame) is Code.BAD_FRAME


NESTED = (
    '[{"type":"nope","ref":7,"x":%s}]',
    '[{"type":"request","ref":1,"method":"m","params":%s}]',
    '[{"x":%s,"type":"ping"}]',
    '[{"type":%s,"ref":1}]',
    '[{"type":"ping","ref":%s,"t":"x"}]',
    "%s",
)


@pytest.mark.parametrize("template", NESTED)
@pytest.mark.parametrize(("left", "right"), ["[]", ('{"a":', "}")])
def test_deep_nesting_is_survived_at_every_depth(template: str, left: str, right: str) -> None:
    for depth in (1, 50, *range(850, 1010), 5_000, 100_000):
        decode_safely(template % (left * depth + "1" * (left != "[") + right * depth))


@pytest.mark.parametrize("number", ["1" * 40, "-" + "9" * 40, "9" * 5000, "1e400", "-1e400", "1e-400", "0.0", "1E+2"])
@pytest.mark.parametrize("field", ["bytes", "t", "code", "other"])
def test_numbers_of_any_size_spoil_at_most_their_envelope(number: str, field: str) -> None:
    tag = {"bytes": "ack", "t": "ping", "code": "bye", "other": "pong"}[field]
    result = decode_safely(f'[{{"type":"{tag}","{field}":{number}}},{{"type":"pong","t":1}}]')
    assert isinstance(result, list) and len(result) == 2
    assert result[1] == Pong(1.0)


@pytest.mark.parametrize("number", ["9" * 5000, "1e400"], ids=["many digits", "exponent"])
@pytest.mark.parametrize(
    "envelope", ['"type":"cancel","ref":{}', '"type":"nope","ref":{}', '"type":{}'], ids=["ref", "ref of nope", "type"]
)
def test_a_ref_or_type_out_of_range_spoils_only_its_envelope(number: str, envelope: str) -> None:
    result = decode_safely(f'[{{"type":"ping"}},{{{envelope.format(number)}}},{{"type":"pong"}}]')
    assert isinstance(result, list), f"the whole frame was refused: {result}"
    assert (result[0], result[2]) == (Ping(), Pong())
    assert isinstance(result[1], Malformed) and result[1].ref is None


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "'a'", "undefined"])
def test_what_is_no_json_is_a_bad_frame_even_where_nobody_looks(word: str) -> None:
    assert decode_safely(f'[{{"type":"ping","t":{word}}}]') is Code.BAD_FRAME
    assert decode_safely(f'[{{"type":"ping","x":{word}}}]') is Code.BAD_FRAME
    assert decode_safely(f'[{{"type":"request","ref":1,"method":"m","params":{word}}}]') is Code.BAD_FRAME


def test_of_a_doubled_key_the_last_counts_and_a_doubled_type_is_refused() -> None:
    assert decode_client_frame('[{"type":"ping","t":1,"t":2}]') == [Ping(2.0)]
    (message,) = decode_client_frame('[{"type":"subscribe","ref":1,"topic":"a","type":"unsubscribe"}]')
    assert isinstance(message, Malformed)


@pytest.mark.parametrize(
    "decode", [decode_client_frame, decode_server_frame], ids=["from the client", "from the server"]
)
def test_a_lone_surrogate_is_a_bad_frame(decode: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        decode('[{"type":"ping","x":"\ud800"}]')


def test_an_escaped_lone_surrogate_is_refused_and_a_pair_is_one_character() -> None:
    assert decode_safely('[{"type":"unsubscribe","ref":1,"topic":"\\ud800"}]') is Code.BAD_FRAME
    (message,) = decode_client_frame('[{"type":"subscribe","ref":1,"topic":"\\ud83d\\ude00"}]')
    assert message == Subscribe(1, "\N{GRINNING FACE}")


def test_the_size_limit_counts_bytes_and_takes_exactly_as_many() -> None:
    frame = '[{"type":"ping","x":"\u00e9\u00e9"}]'
    size = len(frame.encode())
    assert decode_client_frame(frame, size) == [Ping()]
    with pytest.raises(RemoteProtocolError) as caught:
        decode_client_frame(frame, size - 1)
    assert caught.value.code is Code.TOO_BIG
    assert decode_client_frame("[]" + " " * (codec.INBOUND_FRAME_BYTES - 2)) == []
    assert decode_safely("[]" + " " * (codec.INBOUND_FRAME_BYTES - 1)) is Code.TOO_BIG


def test_a_long_type_is_cut_in_the_answer() -> None:
    (message,) = decode_client_frame(json.dumps([{"type": "x" * 10_000}]))
    assert isinstance(message, Malformed) and len(message.error.message) < 200


@UNHURRIED
@given(
    st.lists(
        st.sampled_from([Live("t\u00e9"), Ping(1.5), Reply(None), Event("t", 1, "i", "k", 5, msgspec.Raw(b"[1]"))])
    )
)
def test_frames_of_the_server_are_decoded_as_they_were_encoded(messages: list[ServerMessage]) -> None:
    frame = join_frame(encode(message) for message in messages)
    assert decode_server_frame(frame) == messages
    assert decode_server_frame(frame.decode()) == messages


@pytest.mark.parametrize("value", [b"{}", b"[1]", b"null", b'"a"', b"false", b"0"])
def test_results_and_snapshots_of_any_kind_are_decoded_undecoded(value: bytes) -> None:
    reply = decode_server_frame(b'[{"type":"reply","ref":1,"result":' + value + b"}]")
    assert encode(reply[0]) == b'{"type":"reply","ref":1,"result":' + value + b"}"
    frame = b'[{"type":"subscribed","ref":null,"topic":"t","status":"reset","snapshot":' + value + b"}]"
    assert json.loads(encode(decode_server_frame(frame)[0]))["snapshot"] == json.loads(value)


def test_bytes_that_are_no_utf8_are_a_bad_frame_from_the_server() -> None:
    with pytest.raises(RemoteProtocolError):
        decode_server_frame(b'[{"type":"live","topic":"\xff"}]')


@UNHURRIED
@given(st.text() | JSON.map(json.dumps) | st.binary())
def test_whatever_a_server_sends_a_client_gets_messages_or_a_protocol_error(frame: str | bytes) -> None:
    try:
        decode_server_frame(frame)
    except RemoteProtocolError as error:
        assert error.code is Code.BAD_FRAME


@pytest.mark.parametrize("depth", [900, 1_000, 5_000, 100_000])
def test_a_client_survives_deep_nesting_too(depth: int) -> None:
    try:
        decode_server_frame('[{"type":"live","topic":"t","x":' + "[" * depth + "]" * depth + "}]")
    except RemoteProtocolError as error:
        assert error.code is Code.BAD_FRAME


@UNHURRIED
@given(st.integers(0, 2**64 - 1), st.binary(max_size=100), st.integers(0, 2**32 - 1))
def test_a_chunk_survives_the_wire(byte_offset: int, payload: bytes, file_index: int) -> None:
    frame = encode_chunk(byte_offset, payload, file_index)
    assert len(frame) == codec.CHUNK_HEADER.size + len(payload)
    chunk = decode_chunk(frame)
    assert (chunk.byte_offset, chunk.file_index, bytes(chunk.payload)) == (byte_offset, file_index, payload)


@UNHURRIED
@given(st.binary(max_size=40))
def test_any_bytes_are_a_chunk_or_a_protocol_error(frame: bytes) -> None:
    try:
        chunk = decode_chunk(frame)
    except RemoteProtocolError as error:
        short, other = len(frame) < codec.CHUNK_HEADER.size, frame[:1] not in (b"", b"\x00")
        assert error.code is (Code.BAD_FRAME if short else Code.UNKNOWN_TYPE) and (short or other)
    else:
        assert frame[0] == codec.CHUNK_DATA and bytes(chunk.payload) == frame[16:]


def test_flags_and_reserved_bytes_of_a_later_version_are_ignored() -> None:
    frame = bytearray(encode_chunk(5, b"abc", 2))
    frame[1:4] = b"\xff\xff\xff"
    assert decode_chunk(bytes(frame)) == decode_chunk(encode_chunk(5, b"abc", 2))


def test_a_chunk_that_we_send_has_at_most_64_kib_with_its_header_and_larger_ones_are_taken() -> None:
    whole = bytes(codec.MAX_CHUNK_PAYLOAD_BYTES)
    assert len(encode_chunk(0, whole)) == codec.MAX_CHUNK_FRAME_BYTES == 65_536
    assert decode_chunk(encode_chunk(0, memoryview(whole))).payload == whole
    with pytest.raises(ValueError, match="at most"):
        encode_chunk(0, whole + b"x")
    with pytest.raises(RemoteProtocolError) as caught:
        decode_chunk(encode_chunk(0, b"").ljust(codec.INBOUND_CHUNK_FRAME_BYTES + 1, b"x"))
    assert len(decode_chunk(encode_chunk(0, b"").ljust(codec.INBOUND_CHUNK_FRAME_BYTES, b"x")).payload) == 1024**2 - 16
    assert caught.value.code is Code.TOO_BIG


def test_the_payload_is_not_copied() -> None:
    frame = encode_chunk(0, b"abc")
    assert decode_chunk(frame).payload.obj is frame
