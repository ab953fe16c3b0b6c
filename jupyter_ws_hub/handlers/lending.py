"""A directly written socket that a thread may have for a while, to write to it what the loop need not see."""

from __future__ import annotations

import asyncio
import socket

from tornado.iostream import StreamClosedError

from .direct_stream import DirectStream


class LentStream(DirectStream):
    """A DirectStream whose socket can be lent."""

    def lend(self) -> socket.socket | None:
        """A copy of the socket for a thread; None while something waits to be written.

        What others write waits until `give_back`. The copy is the thread's to close: the socket stays what it is for
        the thread even if it is closed here meanwhile.
        """
        if self.closed():
            raise StreamClosedError
        if self._unsent:
            return None
        self._unsent.append((memoryview(b""), self._loop.create_future()))
        return self._socket.dup()

    def give_back(self, rest: memoryview) -> asyncio.Future[None]:
        """Send what the thread could not send, then what has waited; done when `rest` is sent. See `write`."""
        if self.closed():
            raise StreamClosedError
        _, written = self._unsent[0]
        self._unsent[0] = rest, written
        if rest:
            self._loop.add_writer(self._socket, self._writable)
        else:
            self._unsent.popleft()
            written.set_result(None)
            if self._unsent:
                self._loop.add_writer(self._socket, self._writable)
        return written
