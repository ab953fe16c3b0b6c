"""Streamed and large replies: as fast as the client takes them, anew after a reconnect, bounded in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from jupyter_ws_hub.hub import answers
from jupyter_ws_hub.hub.answers import KEPT_REPLY_BYTES
from jupyter_ws_hub.hub.declare import Lane, Method
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError

from ..support.fakes import turns, until
from .client import Note
from .office import Office, office, text_of

READ = ("read", "desk")


class Tap:
    """Methods with much to say; `begun` counts calls, `made` items and large answers, `closed` streams that ended."""

    def __init__(self) -> None:
        self.begun = self.made = self.closed = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def count(self, params: Note, peer: Peer) -> AsyncIterator[Note]:
        """As many items as the text says; after the third the gate must be open."""
        self.begun += 1
        try:
            for n in range(int(params.text)):
                if n == 3:
                    await self.gate.wait()
                self.made += 1
                yield Note(str(n))
        finally:
            self.closed += 1

    async def fail(self, params: Note, peer: Peer) -> AsyncIterator[Note]:
        """Two items, then an error."""
        yield Note("0")
        yield Note("1")
        raise HubError(Code.CONFLICT, "It changed.") if params.text else RuntimeError("/secret")

    async def huge(self, params: Note, peer: Peer) -> AsyncIterator[Note]:
        """An item that no frame takes."""
        yield Note("x" * 40_000)

    async def big(self, params: Note, peer: Peer) -> Note:
        """An answer that is not kept."""
        self.made += 1
        return Note("x" * (KEPT_REPLY_BYTES + 1))

    def methods(self) -> list[Method]:
        """The declarations."""
        streams = {"count": self.count, "broken": self.fail, "huge": self.huge}
        return [
            *(Method(n, Note, Note, READ, c, Lane.BULK, idempotent=True, streamed=True) for n, c in streams.items()),
            Method("large", Note, Note, READ, self.big, idempotent=True),
        ]


def texts(its: Office) -> list[tuple[int, str]]:
    """Number and text of each item."""
    return [(item.n, msgspec.json.decode(item.data, type=Note).text) for item in its.items]


def numbered(count: int) -> list[tuple[int, str]]:
    """What `count` gives."""
    return [(n, str(n)) for n in range(count)]


async def test_a_streamed_reply_comes_in_items_then_ends_in_the_same_lane() -> None:
    tap = Tap()
    async with office(None, *tap.methods()) as its:
        its.start(1, "count", "5")
        (reply,) = await its.replies_to(1)
        assert texts(its) == numbered(5)
        assert reply.error is None and its.messages[-1] == reply
        assert {lane for lane, _ in its.sent} == {Lane.BULK}
        assert tap.closed == 1


@pytest.mark.parametrize(("text", "code"), [("told", "conflict"), ("", "internal")])
async def test_a_stream_that_fails_ends_with_the_error(text: str, code: str) -> None:
    async with office(None, *Tap().methods()) as its:
        its.start(1, "broken", text)
        assert await its.code(1) == code
        assert texts(its) == numbered(2)
        assert not any(b"secret" in sent for _, sent in its.sent)


async def test_an_item_that_fits_in_no_frame_is_an_error() -> None:
    async with office(None, *Tap().methods()) as its:
        its.start(1, "huge")
        assert await its.code(1) == "too_big"
        assert its.items == []


async def test_a_stream_waits_for_its_reader() -> None:
    tap = Tap()
    async with office(None, *tap.methods()) as its:
        its.free_bytes = 0
        its.start(1, "count", "100")
        await turns(50)
        assert tap.made == 1 and its.items == []
        its.free_bytes = 1 << 30
        its.drained.set()
        await turns(300)
        assert texts(its) == numbered(100)


async def test_a_stream_of_which_nothing_is_taken_ends_and_a_slow_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "STALLED_S", 0.1)
    tap = Tap()
    async with office(None, *tap.methods()) as its:
        its.free_bytes = 0
        its.start(1, "count", "100")
        for _ in range(30):
            its.taken += 1
            await asyncio.sleep(0.01)
        assert tap.closed == 0
        await until(lambda: tap.closed == 1)
        assert await its.code(1) == "slow_consumer" and its.items == []
        its.free_bytes = 1 << 30
        its.start(2, "count", "5")
        await its.replies_to(2)
        assert texts(its) == numbered(5)


async def test_a_stream_starts_again_from_the_beginning_after_a_reconnect() -> None:
    tap = Tap()
    tap.gate.clear()
    async with office(None, *tap.methods()) as its:
        its.start(1, "count", "5")
        await turns()
        assert texts(its) == numbered(3)
        its.session.detach(its, 0.0)
        await turns()
        assert tap.closed == 1
        its.sent.clear()
        tap.gate.set()
        its.session.attach(its)
        its.start(1, "count", "5")
        assert len(await its.replies_to(1)) == 1
        assert texts(its) == numbered(5)


async def test_a_stream_whose_end_was_lost_starts_again_too() -> None:
    async with office(None, *Tap().methods()) as its:
        its.start(1, "count", "5")
        await its.replies_to(1)
        its.session.detach(its, 0.0)
        its.session.attach(its)
        its.sent.clear()
        its.start(1, "count", "5")
        assert len(await its.replies_to(1)) == 1
        assert texts(its) == numbered(5)


async def test_a_stream_is_cancelled_and_answered() -> None:
    tap = Tap()
    tap.gate.clear()
    async with office(None, *tap.methods()) as its:
        its.start(1, "count", "9")
        await turns()
        its.session.cancel(1)
        assert await its.code(1) == "cancelled"
        assert tap.closed == 1


async def test_a_stream_has_a_timeout() -> None:
    tap = Tap()
    tap.gate.clear()
    async with office(None, *tap.methods()) as its:
        its.start(1, "count", "9", timeout_ms=1)
        await asyncio.sleep(0.02)
        assert await its.code(1) == "timeout"
        assert tap.closed == 1


async def test_a_stream_that_is_not_idempotent_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="idempotent"):
        Method("count", Note, Note, READ, Tap().count, streamed=True)


async def test_a_large_answer_is_not_kept_while_nobody_reads_but_made_anew_when_it_can_go_out() -> None:
    tap = Tap()
    async with office(None, *tap.methods()) as its:
        its.free_bytes = 0
        its.start(1, "large")
        await turns(50)
        assert (tap.made, its.sent) == (1, [])
        its.free_bytes = 1 << 30
        its.drained.set()
        assert [len(text_of(reply)) for reply in await its.replies_to(1)] == [KEPT_REPLY_BYTES + 1]
        assert tap.made == 2
        its.start(1, "large")
        assert len(await its.replies_to(1)) == 2 and tap.made == 3
