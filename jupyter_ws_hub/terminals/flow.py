"""Pauses a PTY while its clients do not keep up, as a pipe would: the program waits, and nobody loses output.

A client says by itself how it keeps up: `is_behind`, it takes nothing more now; `holds_up`, it makes progress and would
lose output if the others went on. A client that says nothing (one of the stock endpoint) takes everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from tornado.ioloop import IOLoop

PROGRESS_BYTES: Final = 64 * 1024
PROGRESS_S: Final = 2.0


class Flow(Protocol):
    """Told whenever a client falls behind, catches up, or leaves."""

    def check(self) -> None:
        """Pause or resume the PTY as its clients are now."""
        ...


def must_wait(clients: Sequence[Any]) -> bool:
    """Whether a PTY with these clients is to be paused. Without a client it goes on: nobody may ever come."""
    if any(getattr(client, "holds_up", False) for client in clients):
        return True
    return bool(clients) and all(getattr(client, "is_behind", False) for client in clients)


class Progress:
    """Whether a client takes output at a rate that is worth waiting for: 64 KiB in 2 s, or all there is."""

    def __init__(self, now_s: float) -> None:
        """A new client is given its time."""
        self.is_made = True
        self._since_s, self._taken = now_s, 0

    def note(self, now_s: float, taken: int, waiting: int) -> bool:
        """Called about once a second with how much was taken in all, and how much waits; whether 2 s have passed."""
        if now_s - self._since_s < PROGRESS_S:
            return False
        self.is_made = taken - self._taken >= min(PROGRESS_BYTES, waiting)
        self._since_s, self._taken = now_s, taken
        return True


class PtyFlow:
    """One PTY's reading."""

    def __init__(self, clients: list[Any], pause: Callable[[], None], resume: Callable[[], None]) -> None:
        """`clients` is the PTY's own list, which changes."""
        self._clients = clients
        self._pause = pause
        self._resume = resume
        self.paused = False

    def check(self) -> None:
        """See Flow."""
        wanted = must_wait(self._clients)
        if wanted != self.paused:
            self.paused = wanted
            if wanted:
                self._pause()
            else:
                self._resume()


class Flows:
    """The flows of PTYs of a manager that is not ours; a PTY's is forgotten with it."""

    def __init__(self) -> None:
        """There are none yet."""
        self._flows: WeakKeyDictionary[Any, PtyFlow] = WeakKeyDictionary()

    def of(self, pty: Any) -> Flow:
        """The flow of one of terminado's PtyWithClients; on its event loop."""
        flow = self._flows.get(pty)
        if flow is None:
            loop, descriptor = IOLoop.current(), pty.ptyproc.fd

            def listen(events: int) -> None:
                try:
                    loop.update_handler(descriptor, events)
                except (KeyError, ValueError, OSError):
                    return  # the PTY is closed, or is not read by the loop: there is nothing to pause

            flow = self._flows[pty] = PtyFlow(pty.clients, lambda: listen(0), lambda: listen(IOLoop.READ))
        return flow
