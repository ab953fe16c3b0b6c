"""The processes of a benchmark: the server under test, its peers, the receivers. All are ended by their pid."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from jupyter_ws_hub.config import HubTraits
from tests.support.assistants import Puppet
from tests.support.server import RealServer, free_port

from .plugin.service import BenchService
from .receivers import Order, Receipt
from .wire import Target

ROOT: Final = Path(__file__).parents[2]
STOP_S: Final = 10.0
Answer = TypeVar("Answer")
MANY: Final = 20_000
"""Connections that the server under test may take."""


def raise_file_limit() -> None:
    """Let this process and those it starts have as many sockets as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def install_plugin(folder: Path) -> None:
    """Make the service `bench`, and an assistant that does what it is told, known to the servers started here.

    They are found as those of an installed package would be.
    """
    dist = folder / "bench_services-0.dist-info"
    dist.mkdir(parents=True)
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-services\nVersion: 0\n")
    where = f"{BenchService.__module__}:{BenchService.__name__}"
    puppet = f"{Puppet.__module__}:{Puppet.__name__}"
    (dist / "entry_points.txt").write_text(
        f"[jupyter_ws_hub.services]\nbench = {where}\n[jupyter_ws_hub.assistants]\n{Puppet.name} = {puppet}\n"
    )
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(folder)])


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_S)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def rss_bytes(pid: int) -> int:
    """The memory of a process that is resident."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def cpu_s(pid: int) -> float:
    """The CPU time that all threads of a process have had."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


class Lab:
    """Starts processes and ends them all at once."""

    def __init__(self, folder: Path) -> None:
        """Keep the servers' files in `folder`."""
        self.folder = folder
        self._servers: list[RealServer] = []
        self._peers: dict[str, tuple[subprocess.Popen[str], int]] = {}

    def hub(self, *, prepare: Callable[[RealServer], None] | None = None, **traits: Any) -> Target:
        """Start a server with the extension, with enough room for all clients, and the `traits` given.

        With `prepare`, which is called before it starts, it is a JupyterLab.
        """
        room = {name: MANY for name in ("max_connections", "max_connections_per_user")}
        # What one client may ask for in a time is bounded by default; here it is measured what the server can do.
        rates = ("_per_s", "_per_minute")
        room |= {name: 0 for name in HubTraits.class_trait_names(config=True) if name.endswith(rates)}
        return self._server(
            [f"c.HubApp.{name} = {value!r}" for name, value in {**room, **traits}.items()], prepare=prepare
        )

    def stock(self) -> Target:
        """Start a server without the extension."""
        return self._server([], extension=False)

    def _server(
        self, lines: list[str], *, extension: bool = True, prepare: Callable[[RealServer], None] | None = None
    ) -> Target:
        folder = self.folder / f"hub{len(self._servers)}"
        lines = [*lines, *(["c.LabApp.expose_app_in_browser = True"] if prepare else [])]
        program = "lab" if prepare else "server"
        server = RealServer(folder, config="\n".join(lines), extension=extension, program=program)
        if prepare:
            prepare(server)
        self._servers.append(server)
        server.start()
        return Target(server.port)

    @property
    def hub_pid(self) -> int:
        """The server that was started last."""
        return self._servers[-1].pid

    def peer(self, kind: str, path: str) -> Target:
        """An endpoint of a peer, `tornado` or `websockets`; started at its first use."""
        if kind not in self._peers:
            self._start(kind, "peers", kind)
        return Target(self._peers[kind][1], path, hub=False)

    def far(self, port: int, round_trip_s: float) -> int:
        """A port that leads to `port` over a long path; started at its first use."""
        kind = f"far {port} {round_trip_s}"
        if kind not in self._peers:
            self._start(kind, "far", str(port), str(round_trip_s / 2))
        return self._peers[kind][1]

    def _start(self, kind: str, module: str, *arguments: str) -> None:
        """Start a module of this package that prints the port on which it listens."""
        command = [sys.executable, "-m", f"{__package__}.{module}", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout is not None
        self._peers[kind] = process, int(process.stdout.readline())

    def program(self, kind: str, command: Callable[[int], list[str]]) -> Target:
        """A peer that is a program of its own: `command` is given its port. Returns when it listens."""
        port = free_port()
        process = subprocess.Popen(command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        self._peers[kind] = process, port
        deadline_s = time.monotonic() + STOP_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=STOP_S).close()
                return Target(port, hub=False)
            except ConnectionRefusedError:
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise RuntimeError(f"{kind} does not listen") from None
                time.sleep(0.02)

    @property
    def root(self) -> Path:
        """The folder that the server that was started last shows."""
        return self._servers[-1].root

    def peer_pid(self, kind: str) -> int:
        """The process of a peer that was started."""
        return self._peers[kind][0].pid

    def close(self) -> None:
        """End everything that was started."""
        for process, _ in self._peers.values():
            _end(process)
        self._peers.clear()
        for server in self._servers:
            server.stop()
        self._servers.clear()


class Worker:
    """A module of this package in a process of its own: it reads an order, says "ready", and tells what came of it."""

    def __init__(self, module: str, order: msgspec.Struct) -> None:
        """Start it and wait until it is ready."""
        command = [sys.executable, "-m", f"{__package__}.{module}"]
        self._module = module
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self._tell(msgspec.json.encode(order).decode())
        self._line("ready")

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _line(self, expected: str = "") -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line or (expected and line != expected):
            self.close()
            raise RuntimeError(f"{self._module} failed: {line!r}")
        return line

    def go(self) -> None:
        """Let it begin, if it waits for that."""
        self._tell("")

    def answer(self, kind: type[Answer]) -> Answer:
        """Wait for what came of it."""
        return msgspec.json.decode(self._line(), type=kind)

    def close(self) -> None:
        """End the process."""
        _end(self._process)


class Receivers(Worker):
    """A process of clients that are connected."""

    def __init__(self, order: Order) -> None:
        """Start them and wait until they are ready."""
        super().__init__("receivers", order)

    def receipt(self) -> Receipt:
        """Wait until all has come.

        Raises:
            RuntimeError: it has not, in the time that was ordered.
        """
        receipt = self.answer(Receipt)
        if receipt.timed_out:
            raise RuntimeError(f"not all came: {receipt.events} events, the fewest for one client {receipt.fewest}")
        return receipt


@contextmanager
def worker(module: str, order: msgspec.Struct) -> Iterator[Worker]:
    """A worker that is ended at the end of the block."""
    process = Worker(module, order)
    try:
        yield process
    finally:
        process.close()


@contextmanager
def receivers(target: Target, clients: int, **order: Any) -> Iterator[Receivers]:
    """Clients of a target, in a process of their own."""
    crowd = Receivers(Order(target.port, target.path, target.hub, clients, **order))
    try:
        yield crowd
    finally:
        crowd.close()
