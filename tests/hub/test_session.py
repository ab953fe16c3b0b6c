"""Requests of a session: each gets one final reply and runs once, over connections that come and go; resume tokens."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.hub.declare import Lane, Method
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import Request

from ..support.fakes import fake_peer, turns
from .client import Desk, Note, code_of, raw, run
from .office import BUSY_AT, Office, office, text_of


async def test_a_request_gets_one_reply_in_the_lane_of_its_method() -> None:
    async with office() as its:
        its.start(1, "echo", "hi")
        (reply,) = await its.replies_to(1)
        assert text_of(reply) == "hi"
        assert [lane for lane, _ in its.sent] == [Lane.INTERACTIVE]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HubError(Code.CONFLICT, "No."), "conflict"),
        (RuntimeError("/secret"), "internal"),
        (TimeoutError("/secret"), "internal"),
        (RecursionError("/secret"), "internal"),
        (asyncio.CancelledError("/secret"), "internal"),
    ],
)
async def test_a_request_that_fails_gets_one_reply(error: BaseException, code: str) -> None:
    async with office(Desk(error=error)) as its:
        its.start(1, "fail")
        assert await its.code(1) == code
        assert b"secret" not in its.sent[0][1]
        its.start(2, "echo", "still here")
        assert len(await its.replies_to(2)) == 1


async def test_an_unknown_method_and_bad_params_get_one_reply() -> None:
    async with office() as its:
        its.start(1, "nothing")
        its.session.start(Request(2, "echo", raw({"text": 1})), fake_peer())
        its.session.go()
        assert await its.code(1) == "unknown_method"
        assert await its.code(2) == "invalid"


async def test_an_authorizer_that_refuses_or_fails_gets_one_reply() -> None:
    async def authorize(action: str, resource: str) -> bool:
        raise RuntimeError("the authorizer is down")

    async with office() as its:
        its.session.start(Request(1, "echo"), fake_peer(denied=[("write", "desk")]))
        its.session.go()
        its.session.start(Request(2, "echo"), Peer("alice", "alice", "Alice", authorize))
        its.session.go()
        assert await its.code(1) == "forbidden"
        assert await its.code(2) == "internal"
        assert its.desk.calls == []


async def test_a_request_that_takes_too_long_gets_timeout_and_is_stopped() -> None:
    async with office() as its:
        its.start(1, "wait", timeout_ms=0)
        its.start(2, "wait", timeout_ms=-5)
        assert await its.code(1) == "timeout"
        assert await its.code(2) == "timeout"
        its.desk.gate.set()
        assert len(await its.replies_to(1)) == 1


@pytest.mark.parametrize("timeout_ms", [2**31, 2**63, 10**400], ids=["31 bits", "63 bits", "400 digits"])
async def test_a_very_long_timeout_is_one(timeout_ms: int) -> None:
    async with office() as its:
        its.start(1, "echo", "hi", timeout_ms)
        assert len(await its.replies_to(1)) == 1


async def test_a_request_that_runs_is_cancelled_and_answered_once() -> None:
    async with office() as its:
        its.start(1, "wait")
        await turns()
        its.session.cancel(1)
        its.session.cancel(1)
        assert await its.code(1) == "cancelled"


async def test_a_request_that_is_cancelled_before_it_began_is_answered() -> None:
    async with office() as its:
        its.start(1, "wait")
        its.session.cancel(1)
        assert await its.code(1) == "cancelled"


async def test_a_cancel_that_comes_too_late_is_answered_with_the_outcome() -> None:
    async with office() as its:
        its.start(1, "echo", "hi")
        await its.replies_to(1)
        its.session.cancel(1)
        assert [text_of(reply) for reply in await its.replies_to(1)] == ["hi", "hi"]


async def test_a_cancel_of_nothing_is_answered() -> None:
    async with office() as its:
        its.session.cancel(7)
        assert await its.code(7) == "not_found"


async def test_a_request_that_ignores_its_cancelling_is_answered_with_its_result() -> None:
    async def stubborn(params: Note, peer: Peer) -> Note:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Note("done anyway")
        return Note()

    async with office(None, Method("stubborn", Note, Note, ("write", "desk"), stubborn)) as its:
        its.start(1, "stubborn")
        await turns()
        its.session.cancel(1)
        assert [text_of(reply) for reply in await its.replies_to(1)] == ["done anyway"]


async def test_the_same_ref_again_does_not_run_again() -> None:
    async with office() as its:
        its.start(1, "wait", "a")
        await turns()
        its.start(1, "wait", "b")
        its.desk.gate.set()
        assert [text_of(reply) for reply in await its.replies_to(1)] == ["a"]
        its.start(1, "wait", "c")
        assert [text_of(reply) for reply in await its.replies_to(1)] == ["a", "a"]
        assert its.desk.calls == ["a"]


async def test_a_request_runs_on_without_a_connection_and_its_outcome_waits() -> None:
    async with office() as its:
        its.start(1, "wait", "a")
        await turns()
        its.session.detach(its, 0.0)
        its.desk.gate.set()
        assert await its.replies_to(1) == []
        its.session.attach(its)
        assert await its.replies_to(1) == []
        its.start(1, "wait", "a")
        assert [text_of(reply) for reply in await its.replies_to(1)] == ["a"]
        assert its.desk.calls == ["a"]


async def test_a_resend_attaches_to_the_request_that_runs() -> None:
    async with office() as its:
        its.start(1, "wait", "a")
        await turns()
        its.session.detach(its, 0.0)
        its.session.attach(its)
        its.start(1, "wait", "a")
        its.desk.gate.set()
        assert [text_of(reply) for reply in await its.replies_to(1)] == ["a"]


async def test_a_resend_in_the_very_moment_of_the_outcome_is_answered() -> None:
    async with office() as its:
        its.start(1, "wait", "a")
        await turns()
        its.session.detach(its, 0.0)

        def resend() -> None:
            its.session.attach(its)
            its.start(1, "wait", "a")

        its.desk.gate.set()
        asyncio.get_running_loop().call_soon(resend)
        assert [text_of(reply) for reply in await its.replies_to(1)] == ["a"]


async def test_a_settled_ref_has_an_unknown_outcome_and_does_not_run() -> None:
    async with office() as its:
        for ref in (1, 2, 3):
            its.start(ref, "echo", str(ref))
        await turns()
        its.session.acknowledge(2, [])
        its.sent.clear()
        for ref in (1, 2, 3):
            its.start(ref, "echo", "again")
        assert [await its.code(1), await its.code(2)] == ["unknown_outcome", "unknown_outcome"]
        assert [text_of(reply) for reply in await its.replies_to(3)] == ["3"]
        assert its.desk.calls == ["1", "2", "3"]


@pytest.mark.parametrize("ref", [0, -1])
async def test_a_ref_that_no_client_may_use_does_not_run(ref: int) -> None:
    async with office() as its:
        its.start(ref, "echo", "x")
        assert len(await its.replies_to(ref)) == 1
        assert its.desk.calls == []


async def test_too_many_requests_under_way_are_refused_for_now() -> None:
    async with office() as its:
        for ref in range(1, BUSY_AT + 2):
            its.start(ref, "wait", str(ref))
        (refused,) = await its.replies_to(BUSY_AT + 1)
        assert refused.error is not None and refused.error.retryable and refused.error.retry_after_ms
        assert code_of(refused) == "busy"
        its.desk.gate.set()
        await turns()
        its.session.acknowledge(BUSY_AT, [])
        its.start(BUSY_AT + 2, "echo", "free again")
        assert [text_of(reply) for reply in await its.replies_to(BUSY_AT + 2)] == ["free again"]


async def test_outcomes_that_are_not_acknowledged_are_kept_and_new_requests_refused() -> None:
    async with office() as its:
        for ref in range(1, BUSY_AT + 1):
            its.start(ref, "echo", str(ref))
        await turns()
        its.start(BUSY_AT + 1, "echo", "one too many")
        assert await its.code(BUSY_AT + 1) == "busy"
        its.start(1, "echo", "again")
        assert [text_of(reply) for reply in await its.replies_to(1)] == ["1", "1"]


async def test_a_closed_session_stops_what_runs() -> None:
    async with office() as its:
        its.start(1, "wait")
        its.start(2, "wait")
        await turns()
        await asyncio.wait_for(its.session.close(forget=True), 5)
        assert its.session._active == {}


async def test_a_connection_that_was_replaced_does_not_detach_its_successor() -> None:
    async with office() as its:
        successor = Office(its.desk, its.session)
        its.session.attach(successor)
        its.session.detach(its, 5.0)
        assert its.session.detached_s is None
        its.start(1, "echo")
        await turns()
        assert (len(its.sent), len(successor.sent)) == (0, 1)


async def test_a_detached_session_knows_since_when() -> None:
    async with office() as its:
        its.session.detach(its, 5.0)
        its.session.detach(its, 9.0)
        assert its.session.detached_s == 5.0
        its.session.attach(its)
        assert its.session.detached_s is None


async def test_the_old_token_is_good_until_the_client_is_known_to_have_the_new_one() -> None:
    async with office() as its:
        for token in ("t1", "t2"):
            its.session.rotate(token)
        assert its.session.proves("t1") and its.session.proves("t2")
        its.session.confirm()
        assert its.session.proves("t2") and not its.session.proves("t1")


async def test_the_old_token_is_good_however_many_welcomes_are_lost() -> None:
    async with office() as its:
        its.session.rotate("t1")
        its.session.confirm()
        for token in ("t2", "t3", "t4"):
            assert its.session.proves("t1")
            its.session.rotate(token)
        its.session.confirm()
        assert [its.session.proves(token) for token in ("t1", "t2", "t3", "t4")] == [False, False, False, True]


@pytest.mark.parametrize("token", [None, "", "t", "t1 ", "é", "\U0001f600"])
async def test_nothing_but_a_token_proves_a_session(token: str | None) -> None:
    async with office() as its:
        assert not its.session.proves(token)
        its.session.rotate("t1")
        assert not its.session.proves(token)


STEPS = st.lists(st.tuples(st.sampled_from(["start", "cancel", "break", "open", "turn", "ack"]), st.integers(1, 3)))


@settings(max_examples=150, deadline=None)
@example([("start", 1), ("cancel", 1)])
@given(STEPS)
def test_whatever_happens_a_request_runs_once_and_a_resend_is_answered(steps: list[tuple[str, int]]) -> None:
    async def scenario() -> None:
        async with office() as its:
            connected = True
            for name, ref in steps:
                if name == "start" and connected:
                    its.start(ref, "wait", str(ref))
                elif name == "cancel" and connected:
                    its.session.cancel(ref)
                elif name == "ack" and connected:
                    its.session.acknowledge(ref, [])
                elif name == "turn":
                    await asyncio.sleep(0)
                elif name in ("break", "open"):
                    connected = name == "open"
                    its.session.attach(its) if connected else its.session.detach(its, 0.0)
                if ref == 3 and name == "open":
                    its.desk.gate.set()
            its.desk.gate.set()
            its.session.attach(its)
            its.sent.clear()
            for ref in (1, 2, 3):
                its.start(ref, "wait", str(ref))
            for ref in (1, 2, 3):
                assert len(await its.replies_to(ref)) == 1
            assert len(its.desk.calls) == len(set(its.desk.calls))

    run(scenario())
