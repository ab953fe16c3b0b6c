"""Clients of terminals in a process of their own: `python -m tests.benchmarks.terminal_crowd`.

Reads an `Order` from standard input, connects, prints "ready", waits for a line, and prints a `Receipt` at the end. It
only walks over the headers of what it gets, so that the servers are what is slow.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from .terminal_client import PLAIN, RAW, READ_BYTES, READY, connect
from .terminal_wire import Endpoint, Speaker
from .wire import MarkerCounter

SETTLE_S: Final = 0.05
END: Final = b"the-end"


class Order(msgspec.Struct, frozen=True):
    """What to do."""

    endpoints: Sequence[Endpoint]
    program: str = ""
    """What to start in each terminal at the line that follows; nothing: they stay idle."""
    raw: bool = True
    """Whether bytes come as they are; else a line's end becomes two bytes, as in any terminal."""
    seconds: float = 0.0
    """How long to look; 0: until END has come in the first terminal."""
    timeout_s: float = 60.0


class Receipt(msgspec.Struct, frozen=True):
    """What has come since the line."""

    output_bytes: Sequence[int]
    """Of each terminal, without framing."""
    frames: int
    wire_bytes: int
    seconds: float
    """From the line to the last output before END."""
    ended: int
    """Connections that were closed."""
    timed_out: bool = False


@dataclass(eq=False)
class Member:
    """A client."""

    connection: socket.socket
    speaker: Speaker


class Crowd:
    """The clients."""

    def __init__(self, order: Order) -> None:
        """Connect all."""
        self.order = order
        self.wire_bytes = 0
        self.last_s = 0.0
        self._selector = selectors.DefaultSelector()
        self._end = MarkerCounter(END)
        self.members = [Member(*connect(endpoint)) for endpoint in order.endpoints]
        for member in self.members:
            self._selector.register(member.connection, selectors.EVENT_READ, member)

    def prepare(self) -> None:
        """Put each terminal into its mode and let it wait for a line before the program."""
        command = (RAW if self.order.raw else PLAIN) + f"read go; {self.order.program}\n".encode()
        for member in self.members:
            member.connection.sendall(member.speaker.type(command))
            marker = MarkerCounter(READY)
            while not marker.count:
                data = member.connection.recv(READ_BYTES)
                if not data:
                    raise ConnectionError("a terminal was closed before it was ready")
                marker.feed(data)
                if answer := member.speaker.feed(data):
                    member.connection.sendall(answer)

    def go(self) -> Receipt:
        """Start the programs and take what comes."""
        before = [member.speaker.output_bytes for member in self.members]
        frames = sum(member.speaker.frames for member in self.members)
        began_s = self.last_s = time.monotonic()
        if self.order.program:
            for member in self.members:
                member.connection.sendall(member.speaker.type(b"\n"))
        deadline_s = began_s + (self.order.seconds or self.order.timeout_s)
        while time.monotonic() < deadline_s and (self.order.seconds or not self._end.count):
            self._turn()
        return Receipt(
            [member.speaker.output_bytes - start for member, start in zip(self.members, before, strict=True)],
            sum(member.speaker.frames for member in self.members) - frames,
            self.wire_bytes,
            self.last_s - began_s,
            sum(member.speaker.ended for member in self.members),
            not self.order.seconds and not self._end.count,
        )

    def _turn(self) -> None:
        ready = self._selector.select(SETTLE_S)
        for key, _ in ready:
            member: Member = key.data
            data = member.connection.recv(READ_BYTES)
            self.wire_bytes += len(data)
            if member is self.members[0]:
                self._end.feed(data)
                if not self._end.count:
                    self.last_s = time.monotonic()
            if answer := member.speaker.feed(data):
                member.connection.sendall(answer)
            if not data:
                member.speaker.ended = True
                self._selector.unregister(member.connection)
        if not ready:
            for member in self.members:
                if answer := member.speaker.settle():
                    member.connection.sendall(answer)


def main() -> None:
    """Do what was ordered."""
    order = msgspec.json.decode(sys.stdin.readline(), type=Order)
    crowd = Crowd(order)
    if order.program:
        crowd.prepare()
    print("ready", flush=True)
    sys.stdin.readline()
    print(msgspec.json.encode(crowd.go()).decode(), flush=True)


if __name__ == "__main__":
    main()
