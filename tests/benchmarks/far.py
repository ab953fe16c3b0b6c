"""A long path: a TCP proxy that keeps every byte for a while, `python -m tests.benchmarks.far PORT DELAY_S`.

It prints its port and serves until it is ended. Each direction of a connection holds up to `PATH_BYTES`; what comes
faster waits at the sender, as with a full TCP window. Beyond that it is kinder than a real path: no packet is lost,
windows are open from the start (no slow start, also none after a pause), and connecting takes no round trip.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import time
from collections import deque
from threading import Condition, Thread
from typing import Final

READ_BYTES: Final = 1 << 18
PATH_BYTES: Final = 16 << 20
"""What a window grows to where tcp_rmem's third figure is 32 MiB: half of that."""
BUFFER_BYTES: Final = 1 << 20
"""Of the kernel, for each socket of the proxy: more would be a part of the path that is not counted."""


class Way:
    """One direction of a connection: a thread takes, another one gives."""

    def __init__(self, source: socket.socket, sink: socket.socket, delay_s: float, path_bytes: int) -> None:
        """Begin."""
        self._source, self._sink = source, sink
        self._delay_s, self._path_bytes = delay_s, path_bytes
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._given: deque[tuple[float, int]] = deque()
        """When the source learns of what has arrived, and how many bytes that is."""
        self._held_bytes = 0
        """What the source does not know yet to have arrived."""
        self._changed = Condition()
        self._over = False
        self.threads = [Thread(target=work, daemon=True) for work in (self._take, self._give)]
        for thread in self.threads:
            thread.start()

    def _take(self) -> None:
        data = b"first"
        while data:
            self._wait_for_window()
            try:
                data = self._source.recv(READ_BYTES)
            except OSError:
                data = b""
            with self._changed:
                self._pieces.append((time.monotonic() + self._delay_s, data))
                self._held_bytes += len(data)
                self._changed.notify_all()

    def _wait_for_window(self) -> None:
        with self._changed:
            while True:
                now_s = time.monotonic()
                while self._given and self._given[0][0] <= now_s:
                    self._held_bytes -= self._given.popleft()[1]
                if self._over or self._held_bytes < self._path_bytes:
                    return
                self._changed.wait(self._given[0][0] - now_s if self._given else None)

    def _give(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._next():
                self._sink.sendall(data)
                with self._changed:
                    self._given.append((time.monotonic() + self._delay_s, len(data)))
                    self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()
        # The end arrives as late as the rest; when the sink is gone the source is told at its next byte.
        for connection, how in ((self._sink, socket.SHUT_WR), (self._source, socket.SHUT_RD)):
            with contextlib.suppress(OSError):
                connection.shutdown(how)

    def _next(self) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._pieces)
            due_s, data = self._pieces.popleft()
        if (left_s := due_s - time.monotonic()) > 0:
            time.sleep(left_s)
        return data


def _carry(client: socket.socket, port: int, delay_s: float, path_bytes: int) -> None:
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        for connection in (client, server):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ways = Way(client, server, delay_s, path_bytes), Way(server, client, delay_s, path_bytes)
        for thread in [*ways[0].threads, *ways[1].threads]:
            thread.join()


def listen(port: int, delay_s: float, path_bytes: int = PATH_BYTES) -> int:
    """Serve, in threads, connections to `port` that take `delay_s` in each direction; gives where it listens."""
    listener = socket.socket()
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):  # connections inherit them
        listener.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            Thread(target=_carry, args=(client, port, delay_s, path_bytes), daemon=True).start()

    Thread(target=accept, daemon=True).start()
    found: int = listener.getsockname()[1]
    return found


def main() -> None:
    """Serve until the process is ended."""
    print(listen(int(sys.argv[1]), float(sys.argv[2])), flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
