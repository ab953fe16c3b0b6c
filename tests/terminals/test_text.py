"""Text clients get every character once, whenever they come, and one that fails takes nothing from the others."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.terminals.ring import ByteRing
from jupyter_ws_hub.terminals.text import HISTORY_BYTES, TextClients, unfinished


@dataclass(eq=False)
class Client:
    """A client as terminado has them."""

    text: str = ""
    died: int = 0
    fails: bool = False
    calls: list[str] = field(default_factory=list)

    def on_pty_read(self, text: str) -> None:
        """Take output."""
        if self.fails:
            raise ConnectionError("its socket is gone")
        self.text += text

    def on_pty_died(self) -> None:
        """Take the end."""
        self.died += 1
        if self.fails:
            raise ConnectionError("its socket is gone")


class Room:
    """A PTY's output and those who see it."""

    def __init__(self, capacity: int = 1 << 20) -> None:
        """Empty."""
        self.clients: list[Client] = []
        self.ring = ByteRing(capacity)
        self.text = TextClients(self.clients, self.ring, logging.getLogger("test"))

    def say(self, data: bytes) -> None:
        """Output, as the PTY hands it on."""
        self.text.before()
        self.ring.append(data)
        if self.clients:
            self.text.output(data)

    def join(self, *, fails: bool = False) -> Client:
        """As terminado's socket does it."""
        client = Client(fails=fails)
        self.clients.append(client)
        buffer = self.text.copy()
        while buffer:
            client.text += buffer.popleft()
        return client


TEXTS = st.text(st.characters(exclude_characters="\x1b", exclude_categories=["Cs"]), max_size=40)


@given(TEXTS, st.lists(st.integers(0, 160), max_size=8), st.sets(st.integers(0, 8), max_size=4), st.integers(0, 8))
def test_whoever_comes_sees_the_whole_text_wherever_it_was_split(
    text: str, cuts: list[int], joins: set[int], leaves: int
) -> None:
    room, whole = Room(), text.encode()
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    for n, (begin, end) in enumerate(pairwise(edges)):
        if n in joins:
            room.join()
        if n == leaves and room.clients:
            room.clients.pop(0)
        room.say(whole[begin:end])
    last = room.join()
    for client in room.clients:
        assert client.text == text
    room.say(" done é".encode())
    assert last.text == text + " done é"


def test_one_that_fails_takes_nothing_from_the_others() -> None:
    room = Room()
    before, bad, after = room.join(), room.join(fails=True), room.join()
    room.say(b"hello")
    assert (before.text, bad.text, after.text) == ("hello", "", "hello")
    room.text.died()
    assert (before.died, bad.died, after.died) == (1, 1, 1)


def test_what_is_no_text_is_replaced_and_harms_nothing() -> None:
    room = Room()
    client = room.join()
    room.say(b"a\xffb")
    room.say(b"\xe6")
    room.say(b"\x97!")
    room.say("日".encode())
    assert client.text == "a�b�!日"
    assert room.join().text == client.text


def test_history_has_no_queries_and_begins_with_a_line() -> None:
    room = Room()
    room.say(b"ask\x1b[6n me\r\n")
    assert room.join().text == "ask me\r\n"
    room.say(b"0123456789 and more\r\n" * (HISTORY_BYTES // 10))
    history = room.join().text
    assert history.startswith("0123456789") and HISTORY_BYTES - 100 < len(history) <= HISTORY_BYTES


def test_live_queries_reach_the_client() -> None:
    room = Room()
    client = room.join()
    room.say(b"\x1b[6n")
    assert client.text == "\x1b[6n"


def test_the_beginning_of_a_character_is_seen() -> None:
    for character in "é日😀":
        encoded = character.encode()
        for size in range(1, len(encoded)):
            assert unfinished(b"x" + encoded[:size]) == encoded[:size]
        assert unfinished(b"x" + encoded) == b""
    assert unfinished(b"") == unfinished(b"abc") == unfinished(b"\x80\x80\x80\x80") == unfinished(b"\xff") == b""
