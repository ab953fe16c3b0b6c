"""The long path: it must be as long and as narrow as it is said to be, and lose nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .far import listen

DELAY_S = 0.03
TIMEOUT_S = 20.0


@contextmanager
def path(path_bytes: int = 1 << 20) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection over a path."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listen(listener.getsockname()[1], DELAY_S, path_bytes)
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as near, listener.accept()[0] as distant:
            distant.settimeout(TIMEOUT_S)
            yield near, distant


def test_every_byte_takes_its_time_both_ways() -> None:
    with path() as (near, distant):
        for _ in range(3):
            began_s = time.monotonic()
            near.sendall(b"ping")
            assert distant.recv(10) == b"ping"
            assert time.monotonic() - began_s >= DELAY_S
            distant.sendall(b"pong")
            assert near.recv(10) == b"pong"
            assert time.monotonic() - began_s >= 2 * DELAY_S


def test_more_than_the_window_waits_for_a_round_trip() -> None:
    window, size = 1 << 20, 24 << 20
    data = bytes(range(256)) * (size // 256)
    with path(window) as (near, distant):
        began_s = time.monotonic()
        sender = threading.Thread(target=near.sendall, args=(data,))
        sender.start()
        came = bytearray()
        while len(came) < size:
            came += distant.recv(1 << 20)
        took_s = time.monotonic() - began_s
        sender.join(TIMEOUT_S)
    assert came == data
    # A window each round trip; what the kernel's buffers and the last piece beyond the window hold comes on top.
    assert took_s >= 0.5 * (size / window - 1) * 2 * DELAY_S


def test_the_end_arrives_after_the_rest() -> None:
    with path() as (near, distant):
        near.sendall(b"last words")
        near.shutdown(socket.SHUT_WR)
        assert distant.recv(100) == b"last words"
        assert distant.recv(100) == b""
        distant.sendall(b"answer")
        assert near.recv(100) == b"answer"
        distant.shutdown(socket.SHUT_WR)
        assert near.recv(100) == b""
