"""What comes is gathered and told in order, once; a slow, busy or failing store loses none of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.chat.answering import tick_after
from jupyter_ws_hub.chat.assistant import Ask, Delta, Done, Piece, Turn
from jupyter_ws_hub.chat.messages import ChatMessage
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from tests.support.answers import Room, at_once, built

PIECES = st.lists(st.tuples(st.text(min_size=1, max_size=8), st.sampled_from([0.0, 0.001, 0.03, 0.1])), max_size=25)


def saying(pieces: Sequence[tuple[str, float]]) -> object:
    async def say(turns: Sequence[Turn], ask: Ask) -> AsyncGenerator[Piece, None]:
        for text, pause_s in pieces:
            yield Delta(text)
            await asyncio.sleep(pause_s)
        yield Done()

    return say


def deltas(room: Room) -> list[str]:
    return [text for kind, _, _, text in room.talk.told if kind == "delta"]


@settings(max_examples=60, deadline=None)
@given(PIECES, st.floats(0, 2), st.sampled_from([0.0, 0.01, 0.2]))
def test_whatever_is_said_and_whenever_it_is_stopped_who_follows_has_what_is_kept(
    pieces: list[tuple[str, float]], stop_s: float, store_s: float
) -> None:
    @at_once
    async def follow() -> None:
        room = Room(saying(pieces))

        async def slow(operation: str) -> None:
            await asyncio.sleep(store_s if operation == "add" else 0)

        room.talk.before = slow
        answer = await room.asks()
        await asyncio.sleep(stop_s)
        ended = await room.stop(answer)
        assert ended.answer is not None and ended.answer.state in ("done", "stopped", "failed")
        assert built(room.talk, answer) == ended.text
        assert room.talk.told[-1][:2] == ("finished", room.now(answer))

    follow()


@at_once
async def test_pieces_that_come_close_together_are_one_delta() -> None:
    room = Room(saying([("x", 0.01)] * 100), gather_s=0.04)
    await room.ended(await room.asks())
    assert 20 <= len(deltas(room)) <= 36
    assert "".join(deltas(room)) == "x" * 100


@at_once
async def test_what_comes_while_a_piece_is_being_kept_is_gathered_too() -> None:
    room = Room(saying([("x", 0.01)] * 100), gather_s=0.04)
    loop, begun, kept = asyncio.get_running_loop(), list[float](), list[float]()

    async def slow(operation: str) -> None:
        if operation == "add":
            begun.append(loop.time())
            await asyncio.sleep(0.0137)
            kept.append(loop.time())

    room.talk.before = slow
    await room.ended(await room.asks())
    assert "".join(deltas(room)) == "x" * 100
    # The last one waits for nothing.
    assert all(begin > end for begin, end in zip(begun[1:-1], kept[:-2], strict=True))


@at_once
async def test_a_piece_waits_no_longer_than_it_is_gathered_and_the_end_waits_for_nothing() -> None:
    room = Room(saying([("first", 10), ("last", 0)]), gather_s=0.04)
    answer = await room.asks()
    await asyncio.sleep(0.045)
    assert deltas(room) == ["first"]
    began_s = asyncio.get_running_loop().time()
    await room.ended(answer)
    assert asyncio.get_running_loop().time() - began_s < 10.01


@at_once
async def test_a_store_that_is_slow_gets_fewer_and_larger_pieces() -> None:
    room = Room(saying([("x", 0.01)] * 200))

    async def slow(operation: str) -> None:
        await asyncio.sleep(0.5)

    room.talk.before = slow
    await room.ended(await room.asks())
    assert len(deltas(room)) <= 6
    assert "".join(deltas(room)) == "x" * 200


@at_once
async def test_a_store_that_is_busy_for_a_while_loses_nothing() -> None:
    room = Room(saying([("x", 0.01)] * 100))
    failures = iter(range(4))

    async def busy(operation: str) -> None:
        if operation in ("add", "finish") and next(failures, None) is not None:
            raise HubError(Code.UNAVAILABLE, "The database is locked.")

    room.talk.before = busy
    ended = await room.ended(await room.asks())
    assert ended.answer is not None
    assert (ended.text, ended.answer.state) == ("x" * 100, "done")
    assert built(room.talk, ended) == ended.text


@pytest.mark.parametrize(("code", "text"), [(Code.TOO_BIG, "onetwo"), (Code.UNAVAILABLE, "onetwothree")])
@at_once
async def test_what_could_not_be_told_is_in_the_answer_that_says_why_it_failed(code: Code, text: str) -> None:
    room = Room(saying([("one", 1), ("two", 1), ("three", 1)]))
    adds = 0

    async def full(operation: str) -> None:
        nonlocal adds
        adds += operation == "add"
        if operation == "add" and adds > 1:
            raise HubError(code, "It does not fit.")

    room.talk.before = full
    ended = await room.ended(await room.asks())
    assert ended.answer is not None
    assert (ended.text, ended.answer.state, ended.answer.error) == (text, "failed", "It does not fit.")
    assert room.generations.running == 0


@at_once
async def test_half_a_character_waits_for_the_other_half() -> None:
    room = Room(saying([("a\ud83d", 0.2), ("\ude00b", 0.2), ("\ud83d", 0.2)]))
    answer: ChatMessage = await room.asks()
    ended = await room.ended(answer)
    assert ended.text == "a😀b\ufffd"
    assert built(room.talk, ended) == ended.text
    assert deltas(room) == ["a", "😀b", "\ufffd"]


@given(st.floats(0, 1e6), st.sampled_from([0.03, 0.04, 0.05, 1.0]))
def test_answers_are_told_in_groups_and_none_waits_longer_than_it_may(now_s: float, gather_s: float) -> None:
    due_s = tick_after(now_s, gather_s)
    assert 0.75 * gather_s - 1e-6 <= due_s - now_s <= gather_s + 1e-6
    assert len({round(tick_after(n / 1000, 0.04), 6) for n in range(1000)}) <= 101


def test_what_is_not_gathered_is_told_at_once() -> None:
    assert tick_after(5.0, 0.0) == 5.0
