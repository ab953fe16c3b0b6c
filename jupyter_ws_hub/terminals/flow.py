"""Pauses a PTY while none of its clients keeps up, as a pipe would: the program waits, and nobody loses output.

It works with any terminal manager that reads its PTYs by the IOLoop, as terminado's do. While a client is attached that
this module knows nothing of (one of the stock endpoint), nothing is paused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from tornado.ioloop import IOLoop


class Flow(Protocol):
    """Told whenever a client falls behind, catches up, or leaves."""

    def check(self) -> None:
        """Pause or resume the PTY as its clients are now."""
        ...


class PtyFlow:
    """One PTY's reading. Clients that have `is_behind` true do not keep up."""

    def __init__(self, clients: list[Any], pause: Callable[[], None], resume: Callable[[], None]) -> None:
        """`clients` is the PTY's own list, which changes."""
        self._clients = clients
        self._pause = pause
        self._resume = resume
        self.paused = False

    def check(self) -> None:
        """See Flow. Without a client the PTY goes on: a program must not wait for somebody who may never come."""
        wanted = bool(self._clients) and all(getattr(client, "is_behind", False) for client in self._clients)
        if wanted != self.paused:
            self.paused = wanted
            if wanted:
                self._pause()
            else:
                self._resume()


class Flows:
    """The flows of a server's PTYs; a PTY's is forgotten with it."""

    def __init__(self) -> None:
        """There are none yet."""
        self._flows: WeakKeyDictionary[Any, PtyFlow] = WeakKeyDictionary()

    def of(self, pty: Any) -> PtyFlow:
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
