"""The frames of terminals: the golden ones in tests/vectors/terminal.json, which jest reads too, and all others.

A golden frame of a type that its receiver ignores is called "unknown". The longest DATA frames are not among them:
64 KiB of hexadecimal digits say no more than a loop.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.protocol import terminal as wire
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import RemoteProtocolError

FILE: Final = Path(__file__).parent.parent / "vectors" / "terminal.json"
VECTORS: Final[dict[str, list[Any]]] = json.loads(FILE.read_text())
CLIENT_FRAMES: Final = get_args(wire.ClientFrame)
SERVER_FRAMES: Final = get_args(wire.ServerFrame)
UNKNOWN: Final = {"type": "unknown"}

u16, u32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
eight = st.binary(min_size=8, max_size=8)
data = st.builds(wire.Data, st.binary(max_size=300))
pings = st.builds(wire.Ping, eight) | st.builds(wire.Pong, eight)
client_frames = st.one_of(
    data,
    pings,
    st.builds(wire.Ack, u64),
    st.builds(wire.Resize, u16, u16, u16, u16, st.booleans()),
    st.just(wire.Bye()),
)
welcomes = st.builds(
    wire.Welcome,
    epoch=st.binary(min_size=16, max_size=16).map(bytes.hex),
    start=u64,
    head=u64,
    accepted=u64,
    input_limit=u64,
    rows=u16,
    columns=u16,
    window=u32,
    resumed=st.booleans(),
    fresh=st.booleans(),
    read_only=st.booleans(),
)
server_frames = st.one_of(
    data,
    pings,
    welcomes,
    st.builds(wire.InputAck, u64, u64),
    st.builds(wire.Size, u16, u16, u16, u16),
    st.builds(wire.Replay, u64),
    st.builds(wire.Gap, u64, u64),
    st.builds(wire.Exit, st.integers(-(2**31), 2**31 - 1), st.integers(0, 255), u64),
    st.builds(wire.Error, u16, st.text(st.characters(codec="utf-8"), max_size=50)),
)


def named(case: Any) -> str:
    return f"{case['direction']} {case['name']}"


def decode(direction: str, frame: bytes) -> wire.ClientFrame | wire.ServerFrame | None:
    return wire.decode_client_frame(frame) if direction == "client" else wire.decode_server_frame(frame)


def name_of(frame: type) -> str:
    return re.sub("(?<!^)([A-Z])", r"_\1", frame.__name__).lower()


def plain(frame: wire.ClientFrame | wire.ServerFrame | None) -> dict[str, Any]:
    """A frame as it stands in the file."""
    if frame is None:
        return UNKNOWN
    fields = msgspec.structs.asdict(frame)
    return {"type": name_of(type(frame))} | {k: v.hex() if isinstance(v, bytes) else v for k, v in fields.items()}


@pytest.mark.parametrize("case", VECTORS["valid"], ids=named)
def test_golden_frames_are_read_and_written(case: Any) -> None:
    frame = bytes.fromhex(case["hex"])
    decoded = decode(case["direction"], frame)
    assert plain(decoded) == case["frame"]
    if decoded is None:
        return
    written = wire.encode(decoded)
    assert plain(decode(case["direction"], written)) == case["frame"]
    if not re.search("more than is known|unknown flags|not UTF-8|as long as", case["name"]):
        assert written == frame


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=named)
def test_invalid_golden_frames_are_refused(case: Any) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(case["direction"], bytes.fromhex(case["hex"]))
    assert caught.value.code.wire_name == case["code"]


def test_every_frame_has_golden_frames_and_each_has_a_name_of_its_own() -> None:
    for direction, union in (("client", CLIENT_FRAMES), ("server", SERVER_FRAMES)):
        seen = {case["frame"]["type"] for case in VECTORS["valid"] if case["direction"] == direction}
        assert seen - {"unknown"} == {name_of(kind) for kind in union}
    for cases in VECTORS.values():
        assert len({named(case) for case in cases}) == len(cases)
    assert {case["code"] for case in VECTORS["invalid"]} <= {code.wire_name for code in Code}


@given(client_frames, st.binary(max_size=3))
def test_what_a_client_writes_a_server_reads(frame: wire.ClientFrame, rest: bytes) -> None:
    assert wire.decode_client_frame(wire.encode(frame) + rest * (not isinstance(frame, wire.Data))) == frame


@given(server_frames, st.binary(max_size=3))
def test_what_a_server_writes_a_client_reads(frame: wire.ServerFrame, rest: bytes) -> None:
    ends = isinstance(frame, wire.Data | wire.Error)
    assert wire.decode_server_frame(wire.encode(frame) + rest * (not ends)) == frame


@given(st.binary(max_size=80))
def test_any_bytes_are_a_frame_or_refused_with_a_code(frame: bytes) -> None:
    for direction in ("client", "server"):
        try:
            decode(direction, frame)
        except RemoteProtocolError as error:
            assert error.code in {Code.BAD_FRAME, Code.TOO_BIG, Code.UNKNOWN_TYPE}


@pytest.mark.parametrize("direction", ["client", "server"])
def test_data_has_a_longest_payload(direction: str) -> None:
    longest = bytes(wire.MAX_DATA_BYTES)
    assert decode(direction, wire.encode(wire.Data(longest))) == wire.Data(longest)
    with pytest.raises(RemoteProtocolError) as caught:
        decode(direction, wire.encode(wire.Data(longest + b"x")))
    assert caught.value.code is Code.TOO_BIG


@pytest.mark.parametrize("frame", [wire.Ack(0), wire.Exit(0, 0, 0), wire.Size(0, 0), wire.Error(4507, "")], ids=str)
def test_no_prefix_of_a_frame_is_a_frame(frame: Any) -> None:
    direction = "client" if isinstance(frame, wire.Ack) else "server"
    written = wire.encode(frame)
    for length in range(len(written)):
        with pytest.raises(RemoteProtocolError) as caught:
            decode(direction, written[:length])
        assert caught.value.code is Code.BAD_FRAME
