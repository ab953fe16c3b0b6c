"""The envelopes: every type once, defaults where the protocol has them, unknown fields ignored."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from jupyter_ws_hub.protocol.messages import (
    Bye,
    ClientMessage,
    Event,
    Hello,
    Ping,
    Position,
    Reply,
    Request,
    ServerMessage,
    Subscribe,
    Subscribed,
)

CLIENT_TAGS = {"hello", "subscribe", "unsubscribe", "request", "cancel", "ack", "ping", "pong", "bye"}
SERVER_TAGS = {
    *("welcome", "subscribed", "event", "position", "live", "lagging", "reply", "item"),
    *("ping", "pong", "bye"),
}

MINIMAL_CLIENT: dict[str, dict[str, Any]] = {
    "hello": {},
    "subscribe": {"ref": 1, "topic": "t"},
    "unsubscribe": {"ref": 1, "topic": "t"},
    "request": {"ref": 1, "method": "m"},
    "cancel": {"ref": 1},
    "ack": {},
    "ping": {},
    "pong": {},
    "bye": {},
}
"""For each type no more than what it must have."""

EVENT = {"topic": "t", "offset": 1, "id": "i", "kind": "k", "time": 5, "data": {}}
WELCOME = {
    **{"session": "s", "resume": "r", "resumed": False, "server": "v", "principal": "p"},
    "heartbeat": {"interval_ms": 1, "grace_ms": 1},
    "limits": {"frame_bytes": 1, "requests_in_flight": 1, "topics": 1},
}
MINIMAL_SERVER: dict[str, dict[str, Any]] = {
    "welcome": WELCOME,
    "subscribed": {"ref": None, "topic": "t"},
    "event": EVENT,
    "position": {"topic": "t", "position": {"epoch": "e", "offset": 0}, "prev": 0},
    "live": {"topic": "t"},
    "lagging": {"topic": "t"},
    "reply": {"ref": None},
    "item": {"ref": 1, "n": 0, "data": 1},
    "ping": {},
    "pong": {},
    "bye": {},
}


def decode(kind: Any, tag: str, fields: dict[str, Any]) -> Any:
    return msgspec.json.decode(json.dumps({"type": tag, **fields}), type=kind)


def tags(union: Any) -> list[str]:
    return [str(kind.__struct_config__.tag) for kind in get_args(union)]


def test_both_directions_have_the_types_of_the_protocol() -> None:
    assert sorted(tags(ClientMessage)) == sorted(CLIENT_TAGS)
    assert sorted(tags(ServerMessage)) == sorted(SERVER_TAGS)


@pytest.mark.parametrize("kind", {*get_args(ClientMessage), *get_args(ServerMessage)}, ids=lambda kind: kind.__name__)
def test_every_envelope_is_frozen_and_open_for_new_fields(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen
    assert not kind.__struct_config__.forbid_unknown_fields
    assert kind.__struct_config__.tag_field == "type"


@pytest.mark.parametrize("tag", sorted(MINIMAL_CLIENT))
def test_the_required_fields_of_a_client_message_suffice_and_unknown_ones_are_ignored(tag: str) -> None:
    fields = MINIMAL_CLIENT[tag]
    message = decode(ClientMessage, tag, fields)
    assert message == decode(ClientMessage, tag, {**fields, "from_the_future": {"deep": [1, None]}})


@pytest.mark.parametrize("tag", sorted(MINIMAL_SERVER))
def test_the_required_fields_of_a_server_message_suffice_and_unknown_ones_are_ignored(tag: str) -> None:
    fields = MINIMAL_SERVER[tag]
    message = decode(ServerMessage, tag, fields)
    assert message == decode(ServerMessage, tag, {**fields, "from_the_future": "\u2603"})


@pytest.mark.parametrize(
    ("union", "tag", "field"),
    [
        *((ClientMessage, tag, field) for tag, fields in MINIMAL_CLIENT.items() for field in fields),
        *((ServerMessage, tag, field) for tag, fields in MINIMAL_SERVER.items() for field in fields),
    ],
)
def test_a_required_field_may_not_be_missing(union: Any, tag: str, field: str) -> None:
    fields = {**(MINIMAL_CLIENT if union is ClientMessage else MINIMAL_SERVER)[tag]}
    del fields[field]
    with pytest.raises(msgspec.ValidationError, match=field):
        decode(union, tag, fields)


def test_two_hellos_do_not_share_their_positions() -> None:
    one, other = Hello(), Hello()
    assert one.positions == {} and one.positions is not other.positions


def test_a_hello_may_name_topics_without_a_position() -> None:
    hello = decode(ClientMessage, "hello", {"positions": {"a": None, "b": {"epoch": "e", "offset": 2, "id": "i"}}})
    assert hello.positions == {"a": None, "b": Position("e", 2, "i")}


@pytest.mark.parametrize("since", [None, "newest", 0, [], {"epoch": "e"}, {"offset": 1}])
def test_since_is_nothing_but_a_position_or_one_of_two_words(since: Any) -> None:
    for good in ("earliest", "latest", {"epoch": "e", "offset": 0}):
        assert decode(ClientMessage, "subscribe", {"ref": 1, "topic": "t", "since": good})
    with pytest.raises(msgspec.ValidationError):
        decode(ClientMessage, "subscribe", {"ref": 1, "topic": "t", "since": since})


def test_defaults_are_what_the_protocol_says() -> None:
    assert Subscribe(1, "t").since == "latest"
    assert bytes(Request(1, "m").params) == b"{}"
    assert Subscribed(None, "t").status == "ok"
    assert (Bye().code, Bye().reason, Bye().retry_after_ms) == (1000, "", None)
    assert Ping().t == 0


@pytest.mark.parametrize("data", [b"1", b'{"a": 1.0}', b"[1,2]", b"null", '"\u00e9"'.encode()])
def test_data_of_services_stays_undecoded(data: bytes) -> None:
    frame = b'{"type":"event","topic":"t","offset":null,"id":"i","kind":"k","time":1,"data":' + data + b"}"
    event = msgspec.json.decode(frame, type=ServerMessage)
    assert isinstance(event, Event)
    assert bytes(event.data) == data
    assert data in msgspec.json.encode(event)


def test_an_event_without_prev_is_as_short_for_everybody_and_still_says_that_it_has_no_offset() -> None:
    wire = json.loads(msgspec.json.encode(Event("t", None, "i", "k", 1, msgspec.Raw(b"{}"))))
    assert "prev" not in wire
    assert wire["offset"] is None


def test_a_reply_names_its_ref_even_if_it_is_null() -> None:
    assert json.loads(msgspec.json.encode(Reply(None))) == {"type": "reply", "ref": None}
