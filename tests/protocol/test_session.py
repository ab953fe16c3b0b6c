"""The server's session machine: what may come when, when silence is death, and that nothing counts after the end."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.protocol.codec import Malformed, encode, join_frame
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError, LocalProtocolError, RemoteProtocolError
from jupyter_ws_hub.protocol.messages import (
    Ack,
    Bye,
    Cancel,
    ClientMessage,
    Hello,
    Ping,
    Pong,
    Request,
    Subscribe,
    Unsubscribe,
)
from jupyter_ws_hub.protocol.session import TRANSITIONS, PingDue, ServerSession, State, Timing

UNHURRIED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

START_S: Final = 1000.0
TIMING: Final = Timing(hello_timeout_s=10.0, heartbeat_interval_s=25.0, heartbeat_grace_s=10.0)
SAMPLES: Final[list[ClientMessage]] = [
    *(Hello(), Subscribe(1, "t"), Unsubscribe(2, "t"), Request(3, "m"), Cancel(3)),
    *(Ack(5), Ping(1.0), Pong(2.0), Bye()),
]
LEGAL: Final[dict[tuple[State, type[ClientMessage]], State]] = {
    (State.AWAITING_HELLO, Hello): State.OPEN,
    (State.AWAITING_HELLO, Bye): State.CLOSED,
    (State.OPEN, Bye): State.CLOSED,
    **{(State.OPEN, type(m)): State.OPEN for m in SAMPLES if not isinstance(m, Hello | Bye)},
}
"""The protocol's rule, written a second time: all other pairs are against it."""

MESSAGES = st.lists(st.sampled_from(SAMPLES), max_size=12)


def frame(*messages: ClientMessage) -> str:
    return join_frame(encode(message) for message in messages).decode()


def session(state: State = State.AWAITING_HELLO, timing: Timing = TIMING) -> ServerSession:
    """A machine that has come to `state` at START_S."""
    machine = ServerSession(timing, START_S)
    if state is not State.AWAITING_HELLO:
        machine.receive(frame(Hello()), START_S)
    if state is State.CLOSED:
        machine.receive(frame(Bye()), START_S)
    assert machine.state is state
    return machine


def test_the_table_is_the_protocol() -> None:
    table = {(state, kind): after for state, kinds in TRANSITIONS.items() for kind, after in kinds.items()}
    assert table == LEGAL
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
@pytest.mark.parametrize("state", [State.AWAITING_HELLO, State.OPEN], ids=lambda state: state.name)
def test_each_message_in_each_state_is_accepted_or_ends_the_connection(state: State, message: ClientMessage) -> None:
    machine = session(state)
    after = LEGAL.get((state, type(message)))
    if after is not None:
        assert machine.receive(frame(message), START_S) == [message]
        assert machine.state is after
        return
    with pytest.raises(RemoteProtocolError) as caught:
        machine.receive(frame(message), START_S)
    assert caught.value.code is Code.BAD_FRAME
    assert str(type(message).__struct_config__.tag) in caught.value.message
    assert machine.state is state


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
def test_no_message_is_accepted_after_bye(message: ClientMessage) -> None:
    machine = session(State.CLOSED)
    assert machine.receive(frame(message), START_S) == []
    assert machine.state is State.CLOSED


@pytest.mark.parametrize("ending", ["bye", "close"])
def test_no_garbage_counts_after_the_end(ending: str) -> None:
    machine = session(State.OPEN)
    if ending == "bye":
        machine.receive(frame(Bye()), START_S)
    else:
        machine.close()
    for garbage in ('[{"type":"nope","ref":1}]', "", "{}", "[1]", b"binary", "[]" + " " * 2_000_000):
        assert machine.receive(garbage, START_S) == []


def test_what_follows_a_bye_in_its_frame_is_dropped() -> None:
    machine = session(State.OPEN)
    assert machine.receive(frame(Ack(1), Bye(), Request(1, "m"), Hello()), START_S) == [Ack(1), Bye()]


@UNHURRIED
@given(MESSAGES, st.data())
def test_however_the_messages_are_framed_the_same_are_accepted(
    messages: list[ClientMessage], data: st.DataObject
) -> None:
    state, expected, legal = State.AWAITING_HELLO, list[ClientMessage](), True
    for message in messages:
        if state is State.CLOSED or not legal:
            break
        legal = (state, type(message)) in LEGAL
        if legal:
            state = LEGAL[state, type(message)]
            expected.append(message)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(messages) - 1))))) if messages else []
    machine = ServerSession(TIMING, START_S)
    accepted: list[ClientMessage | Malformed] = []
    refused = False
    for start, end in pairwise([0, *cuts, len(messages)]):
        try:
            accepted += machine.receive(frame(*messages[start:end]), START_S)
        except RemoteProtocolError:
            refused = True
            break
    assert refused == (not legal)
    assert accepted == expected[: len(accepted)]
    assert refused or (accepted == expected and machine.state is state)


@pytest.mark.parametrize("envelope", ['{"type":"nope","ref":1}', '{"type":"hello","positions":1}', "{}"])
def test_before_hello_even_a_malformed_message_ends_the_connection(envelope: str) -> None:
    machine = session()
    with pytest.raises(RemoteProtocolError) as caught:
        machine.receive(f"[{envelope}]", START_S)
    assert caught.value.code is Code.BAD_FRAME
    assert machine.state is State.AWAITING_HELLO


def test_a_malformed_message_in_an_open_session_is_answered_not_closed() -> None:
    accepted = session(State.OPEN).receive('[{"type":"nope","ref":4},{"type":"ack"}]', START_S)
    assert isinstance(accepted[0], Malformed) and accepted[0].ref == 4
    assert accepted[1:] == [Ack()]


def test_an_empty_frame_is_a_sign_of_life_and_nothing_more() -> None:
    machine = session(State.OPEN)
    assert machine.receive("[]", START_S + 34.9) == []
    assert not isinstance(machine.tick(START_S + 35.0), HubError)


def test_frames_over_the_limit_are_refused() -> None:
    machine = ServerSession(TIMING, START_S, max_frame_bytes=40)
    with pytest.raises(RemoteProtocolError) as caught:
        machine.receive(frame(Hello(session="x" * 40)), START_S)
    assert caught.value.code is Code.TOO_BIG


def test_a_hello_is_waited_for_exactly_as_long_as_said() -> None:
    machine = session()
    assert machine.tick(START_S) is None
    assert machine.tick(START_S + 9.999) is None
    verdict = machine.tick(START_S + 10.0)
    assert isinstance(verdict, HubError) and verdict.code is Code.HELLO_TIMEOUT
    assert verdict.code.retryable


def test_frames_without_hello_do_not_lengthen_the_wait() -> None:
    machine = session()
    machine.receive("[]", START_S + 9.0)
    verdict = machine.tick(START_S + 10.0)
    assert isinstance(verdict, HubError) and verdict.code is Code.HELLO_TIMEOUT


@pytest.mark.parametrize(("excused_s", "due_s"), [(5.0, 10.0), (9.5, 10.0), (9.75, 10.25), (60.0, 60.5)])
def test_a_side_that_slept_waits_for_a_hello_that_may_be_there_already(excused_s: float, due_s: float) -> None:
    machine = session()
    machine.excuse(START_S + excused_s)
    assert machine.tick(START_S + due_s - 0.125) is None
    assert isinstance(machine.tick(START_S + due_s), HubError)


def test_silence_is_death_exactly_after_interval_and_grace() -> None:
    machine = session(State.OPEN)
    machine.receive("[]", START_S + 3.0)
    assert not isinstance(machine.tick(START_S + 37.999), HubError)
    verdict = machine.tick(START_S + 38.0)
    assert isinstance(verdict, HubError) and verdict.code is Code.HEARTBEAT_TIMEOUT
    assert verdict.code.retryable


def test_a_ping_is_due_at_each_interval_and_once() -> None:
    machine = session(State.OPEN)
    due = []
    for step in range(401):
        now_s = START_S + step / 4
        machine.receive("[]", now_s)
        if isinstance(machine.tick(now_s), PingDue):
            due.append(now_s - START_S)
    assert due == [25.0, 50.0, 75.0, 100.0]


def test_a_late_ping_is_followed_by_a_whole_interval() -> None:
    machine = session(State.OPEN)
    machine.receive("[]", START_S + 30.0)
    assert machine.tick(START_S + 31.0) == PingDue(START_S + 31.0)
    assert machine.tick(START_S + 55.999) is None
    assert machine.tick(START_S + 56.0) == PingDue(START_S + 56.0)


def test_before_hello_and_after_the_end_nothing_is_due() -> None:
    assert session(timing=Timing(hello_timeout_s=100.0)).tick(START_S + 60.0) is None
    assert session(State.CLOSED).tick(START_S + 10_000.0) is None
    machine = session()
    machine.close()
    assert machine.tick(START_S + 10_000.0) is None


def test_a_side_that_slept_excuses_the_peer_s_silence() -> None:
    machine = session(State.OPEN)
    machine.excuse(START_S + 300.0)
    assert isinstance(machine.tick(START_S + 300.0), PingDue)
    assert machine.tick(START_S + 324.0) is None
    assert isinstance(machine.tick(START_S + 335.0), HubError)


def test_an_excuse_never_makes_the_peer_older_and_a_closed_session_has_none() -> None:
    machine = session(State.OPEN)
    machine.receive("[]", START_S + 20.0)
    machine.excuse(START_S + 1.0)
    assert not isinstance(machine.tick(START_S + 54.0), HubError)
    machine.close()
    with pytest.raises(LocalProtocolError):
        machine.excuse(START_S + 60.0)


def test_a_pong_tells_the_round_trip_which_is_never_negative() -> None:
    machine = session(State.OPEN)
    assert machine.round_trip_s is None
    machine.receive(frame(Pong(START_S)), START_S + 0.25)
    assert machine.round_trip_s == 0.25
    machine.receive(frame(Pong(START_S + 99.0)), START_S + 1.0)
    assert machine.round_trip_s == 0.0


@UNHURRIED
@given(st.lists(st.tuples(st.integers(0, 200), st.booleans()), max_size=40))
def test_death_comes_after_silence_and_only_then(steps: list[tuple[int, bool]]) -> None:
    machine = session(State.OPEN)
    now_s = heard_s = START_S
    pinged_s = START_S
    for eighths, heard in steps:
        now_s += eighths / 8
        if heard:
            machine.receive("[]", now_s)
            heard_s = now_s
        verdict = machine.tick(now_s)
        assert isinstance(verdict, HubError) == (now_s - heard_s >= 35.0)
        if not isinstance(verdict, HubError):
            assert isinstance(verdict, PingDue) == (now_s - pinged_s >= 25.0)
        if isinstance(verdict, PingDue):
            pinged_s = now_s
