"""What keeps a server busy with terminals, while somebody types in another one."""

from __future__ import annotations

import time
from typing import Final, Protocol

import msgspec

from . import terminal_crowd
from .terminal_client import TerminalClient
from .terminal_systems import System

PASTE_BYTES: Final = 1_000_000
EXIT_PAUSE_S: Final = 0.1
LOWERED: Final = 15
"""How nice programs and clients of a load are: on few cores the server is to be measured, and not they."""


class Order(msgspec.Struct, frozen=True):
    """A load: what, on which server, and for how long."""

    kind: str
    system: System
    seconds: float


class Load(Protocol):
    """A load that was prepared."""

    unit: str
    """Of `amount`."""
    amount: float
    """How much was done."""

    def run(self, until_s: float) -> None:
        """Work until then, by CLOCK_MONOTONIC; may be ended by TimeoutError a little later."""
        ...


class Flood:
    """A terminal in which a program writes without end, to a client that takes all."""

    unit = "MB of output"

    def __init__(self, order: Order) -> None:
        """Prepare the terminal."""
        self.amount = 0.0
        program = f"exec nice -n {LOWERED} yes all work and no play"
        self._crowd = terminal_crowd.Crowd(terminal_crowd.Order([order.system.new()], program, False, order.seconds))
        self._crowd.prepare()

    def run(self, until_s: float) -> None:
        """Take what comes."""
        self.amount = sum(self._crowd.go().output_bytes) / 1e6


class Paste:
    """A terminal into which much is pasted that its program does not read."""

    unit = "MB pasted"

    def __init__(self, order: Order) -> None:
        """Let the terminal sleep: it ends after this load, so that a server which waits for it can go on."""
        self.amount = 0.0
        self._client = TerminalClient(order.system.new())
        self._client.run(f"sleep {order.seconds:.0f}")

    def run(self, until_s: float) -> None:
        """Paste, and look at the terminal until the end."""
        self._client.type(b"x" * PASTE_BYTES)
        self.amount = PASTE_BYTES / 1e6
        self._client.watch(until_s)


class Exits:
    """Terminals that are opened and whose shells exit at once, one after another."""

    unit = "exits"

    def __init__(self, order: Order) -> None:
        """Nothing has exited."""
        self.amount = 0.0
        self._system = order.system

    def run(self, until_s: float) -> None:
        """Some every second."""
        while time.monotonic() < until_s:
            with TerminalClient(self._system.new()) as client:
                client.type(b"exit\n")
                client.watch(until_s)
                self.amount += client.speaker.ended
            time.sleep(EXIT_PAUSE_S)
