"""Clients on blocking sockets, for one who types and waits: the same for all systems, and for a bare PTY."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from typing import Final, Protocol, Self

from .terminal_wire import Endpoint, Speaker, speaker
from .wire import MarkerCounter

READ_BYTES: Final = 1 << 20
TIMEOUT_S: Final = 30.0
READY: Final = b"ready"
RAW: Final = b"stty raw -echo; printf 'rea''dy'; "
"""The terminal hands on bytes as they are; that it does is seen by READY (which is not in what is typed)."""
PLAIN: Final = RAW.replace(b"raw ", b"")
"""Only without echo."""
SHELL: Final = "/bin/sh"


class Typist(Protocol):
    """One who types and sees what comes back."""

    def type(self, data: bytes) -> None:
        """Send input."""
        ...

    def see(self, timeout_s: float = TIMEOUT_S) -> bytes:
        """Wait for the next small piece of output."""
        ...


def connect(endpoint: Endpoint) -> tuple[socket.socket, Speaker]:
    """A connection after its handshake.

    Raises:
        ConnectionError: the server has refused the upgrade.
    """
    connection = socket.create_connection(("127.0.0.1", endpoint.port), timeout=TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(endpoint.handshake())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536) or b"\r\n\r\n"
    head, _, rest = answer.partition(b"\r\n\r\n")
    if b" 101 " not in head.split(b"\r\n", 1)[0]:
        connection.close()
        raise ConnectionError(head.decode(errors="replace") or "refused")
    client = speaker(endpoint.dialect)
    connection.sendall(client.hello + client.feed(rest))
    return connection, client


class TerminalClient:
    """A client of a terminal."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Connect."""
        self._socket, self.speaker = connect(endpoint)

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Cut the connection."""
        self._socket.close()

    def type(self, data: bytes) -> None:
        """Send input."""
        self._socket.sendall(self.speaker.type(data))

    def see(self, timeout_s: float = TIMEOUT_S) -> bytes:
        """Wait for the next small piece of output.

        Raises:
            TimeoutError: none has come.
            ConnectionError: the server has closed the connection.
        """
        self._socket.settimeout(timeout_s)
        before = self.speaker.output_bytes
        while self.speaker.output_bytes == before:
            self.read()
        return self.speaker.last

    def read(self) -> bytes:
        """Take what has come, at least a byte, and answer what must be answered."""
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise ConnectionError("the server has closed the connection")
        if answer := self.speaker.feed(data):
            self._socket.sendall(answer)
        return data

    def watch(self, until_s: float) -> None:
        """Look at the terminal until then, by CLOCK_MONOTONIC, or until it is closed."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            while not self.speaker.ended and (left_s := until_s - time.monotonic()) > 0:
                self._socket.settimeout(left_s)
                self.read()

    def settle(self) -> None:
        """Acknowledge what was seen."""
        if answer := self.speaker.settle():
            self._socket.sendall(answer)

    def run(self, program: str) -> None:
        """Let the shell become `program`, in raw mode; returns when the terminal is in it."""
        self.type(RAW + f"exec {program}\n".encode())
        marker, deadline_s = MarkerCounter(READY), time.monotonic() + TIMEOUT_S
        while not marker.feed(self.read()):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"the terminal does not get ready for {program}")


class BarePty:
    """A program in a PTY without any server: what the system itself takes."""

    def __init__(self, program: str) -> None:
        """Start `program` in raw mode; returns when the terminal is in it."""
        self._master, slave = os.openpty()
        command = RAW.decode() + f"exec {program}"
        self._process = subprocess.Popen([SHELL, "-c", command], stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        seen = b""
        while READY not in seen:
            seen += os.read(self._master, 65536)

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End the program."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(TIMEOUT_S)
        with contextlib.suppress(OSError):
            os.close(self._master)

    def type(self, data: bytes) -> None:
        """Write input."""
        os.write(self._master, data)

    def see(self, timeout_s: float = TIMEOUT_S) -> bytes:
        """Wait for the next piece of output, however long it takes."""
        return os.read(self._master, 65536)
