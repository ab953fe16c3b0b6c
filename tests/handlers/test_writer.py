"""One frame in flight; answers at once; what is ready together shares a frame; a socket that is gone gets nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from jupyter_ws_hub.handlers.writer import FrameWriter
from jupyter_ws_hub.turns import Turns

from ..support.fakes import turns


@dataclass
class Line:
    """A connection and its socket: envelopes that are ready are one frame; writes end when the test says so."""

    waiting: list[bytes] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    futures: deque[asyncio.Future[None]] = field(default_factory=deque)
    slow: bool = False
    gone: bool = False
    more: bool = False
    is_over: bool = False
    overs: int = 0

    def __post_init__(self) -> None:
        self.writer = FrameWriter(self.write, lambda: self.more, self.over, Turns())
        self.writer.frames = self

    def over(self) -> None:
        self.overs += 1

    def frame(self) -> bytes | None:
        frame, self.waiting = b"+".join(self.waiting), []
        return frame or None

    def write(self, frame: bytes) -> asyncio.Future[None] | None:
        if self.gone:
            return None
        self.written.append(frame)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.slow:
            self.futures.append(future)
        else:
            future.set_result(None)
        return future

    def put(self, *envelopes: bytes) -> None:
        for envelope in envelopes:
            self.waiting.append(envelope)
            self.writer.ready()

    def take(self, message: str | bytes) -> None:
        """A message that is answered by itself."""
        self.put(message.encode() if isinstance(message, str) else message)

    def receive(self, *messages: str) -> None:
        for number, message in enumerate(messages, 1):
            self.more = number < len(messages)
            self.writer.receive(self.take, message)


async def test_what_is_ready_in_one_turn_shares_a_frame() -> None:
    line = Line()
    line.put(b"a", b"b", b"c")
    assert line.written == []
    await turns(2)
    assert line.written == [b"a+b+c"]


async def test_an_answer_goes_out_before_the_message_is_left() -> None:
    line = Line()
    line.receive("a")
    assert line.written == [b"a"]
    line.receive("b")
    assert line.written == [b"a", b"b"]


async def test_answers_to_messages_that_were_read_together_share_a_frame() -> None:
    line = Line()
    line.receive("a", "b", "c")
    assert line.written == [b"a+b+c"]
    await turns(3)
    assert line.written == [b"a+b+c"]


async def test_what_was_put_off_goes_out_if_the_last_message_has_no_answer() -> None:
    line = Line()
    line.more = True
    line.writer.receive(line.take, "a")
    line.more = False
    line.writer.receive(lambda message: None, "b")
    assert line.written == []
    await turns(2)
    assert line.written == [b"a"]


async def test_one_frame_is_in_flight() -> None:
    line = Line(slow=True)
    line.put(b"a")
    await turns(2)
    line.put(b"b")
    line.receive("c")
    await turns(3)
    assert line.written == [b"a"]
    line.futures.popleft().set_result(None)
    await turns(2)
    assert line.written == [b"a", b"b+c"]


async def test_a_socket_that_is_gone_gets_nothing_more() -> None:
    line = Line(slow=True)
    line.put(b"a")
    await turns(2)
    line.futures.popleft().set_exception(ConnectionError("gone"))
    line.gone = True
    line.put(b"b")
    await turns(3)
    line.receive("c")
    assert line.written == [b"a"] and line.overs == 0


async def test_the_end_is_told_when_all_is_written() -> None:
    line = Line(slow=True)
    line.put(b"bye")
    line.is_over = True
    await turns(2)
    assert line.overs == 0
    line.futures.popleft().set_result(None)
    await turns(2)
    assert line.overs == 1
