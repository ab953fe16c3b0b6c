"""The command on a real pseudo-terminal and on pipes, against the small server."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import termios
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import pytest

from ..support.address import until
from ..support.proxy import FaultProxy
from ..support.pty_child import PtyChild
from ..support.terminal_server import TOKEN, Running, TerminalServer

COMMAND = ["-m", "jupyter_ws_hub.cli", "terminal"]


@pytest.fixture
def server() -> TerminalServer:
    server = TerminalServer()
    server.terminals["one"] = Running()
    return server


@contextlib.asynccontextmanager
async def on_a_tty(server: TerminalServer, *arguments: str, port: int | None = None) -> AsyncIterator[PtyChild]:
    """The command, attached."""
    url = f"http://127.0.0.1:{port or server.port}/"
    async with PtyChild([*COMMAND, "one", "--url", url, "--token", TOKEN, *arguments]) as child:
        await child.wait_for(b"detaches]")
        await until(lambda: child.is_raw and server.connections, "raw mode and a connection")
        yield child


async def piped(server: TerminalServer, given: bytes | Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, *COMMAND, "one", "--url", server.url, "--token", TOKEN, *arguments]

    def run() -> subprocess.CompletedProcess[bytes]:
        if isinstance(given, bytes):
            return subprocess.run(command, capture_output=True, timeout=30, input=given)
        with given.open("rb") as file:
            return subprocess.run(command, capture_output=True, timeout=30, stdin=file)

    return await asyncio.to_thread(run)


async def test_keys_go_through_and_the_exit_status_comes_back(server: TerminalServer) -> None:
    async with server, on_a_tty(server) as child:
        child.type(b"\x03\x11\x13\x1a\x04\x7fkeys")
        await child.wait_for(b"\x03\x11\x13\x1a\x04\x7fkeys")
        child.type(b"\nexit 5\r")
        assert await child.wait() == 5
        assert child.modes == child.before
        await child.wait_for(b"exited with status 5")


async def test_the_escape_of_ssh_detaches(server: TerminalServer) -> None:
    async with server, on_a_tty(server) as child:
        child.type(b"a~.b\r")
        await child.wait_for(b"a~.b\r")
        child.type(b"~~c\r~.")
        assert await child.wait() == 0
        assert child.modes == child.before
        assert b"[detached]" in child.output
    assert server.terminals["one"].model.input == b"a~.b\r~c\r"


async def test_other_keys_may_detach(server: TerminalServer) -> None:
    async with server, on_a_tty(server, "--detach-keys", "ctrl-p,ctrl-q") as child:
        child.type(b"\x10x\x10\x11")
        assert await child.wait() == 0
    assert server.terminals["one"].model.input == b"\x10x"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
async def test_a_signal_leaves_the_terminal_as_it_was(server: TerminalServer, number: signal.Signals) -> None:
    async with server, on_a_tty(server) as child:
        assert child.modes != child.before
        child.kill(number)
        assert await child.wait() == 128 + number
        assert child.modes == child.before
    assert server.terminals["one"].model.ended is None


async def test_an_end_that_is_no_exit_leaves_the_terminal_as_it_was(server: TerminalServer) -> None:
    async with server, FaultProxy(server.port) as proxy, on_a_tty(server, port=proxy.port) as child:
        server.status = HTTPStatus.FORBIDDEN
        proxy.cut_all()
        assert await child.wait() == 2
        assert child.modes == child.before
        assert b"--token" in child.output


async def test_the_window_is_followed(server: TerminalServer) -> None:
    sizes = server.terminals["one"].model.sizes
    async with server, on_a_tty(server) as child:
        assert sizes == [(24, 80)]
        child.resize(50, 132)
        child.kill(signal.SIGWINCH)
        await until(lambda: sizes[-1] == (50, 132), "the new size")


async def test_it_is_raw_again_after_it_was_in_the_background(server: TerminalServer) -> None:
    async with server, on_a_tty(server) as child:
        child.kill(signal.SIGSTOP)
        termios.tcsetattr(child.tty, termios.TCSANOW, child.before)
        assert not child.is_raw
        child.kill(signal.SIGCONT)
        await until(lambda: child.is_raw, "raw mode")


async def test_a_long_interruption_is_told_in_the_title_and_keys_arrive(server: TerminalServer) -> None:
    async with server, FaultProxy(server.port) as proxy, on_a_tty(server, port=proxy.port) as child:
        child.type(b"A!")
        await child.wait_for(b"A!")
        server.status = HTTPStatus.BAD_GATEWAY
        proxy.cut_all()
        child.type(b"bc")
        await child.wait_for(b"\x1b]0;no connection")
        server.status = None
        await child.wait_for(b"\x1b[23;0tbc")


async def test_a_gap_clears_the_screen(server: TerminalServer) -> None:
    model = server.terminals["one"].model
    async with server, FaultProxy(server.port) as proxy, on_a_tty(server, port=proxy.port) as child:
        child.type(b"old")
        await child.wait_for(b"old")
        model.output += b"missed new"
        model.tail = len(model.output) - 3
        proxy.cut_all()
        await child.wait_for(b"\x1b[H\x1b[2J\x1b[3Jnew")
    assert b"missed" not in child.output


async def test_who_watches_types_nothing_but_may_leave(server: TerminalServer) -> None:
    async with server, on_a_tty(server, "--read-only") as child:
        server.terminals["one"].print(b"look")
        await child.wait_for(b"look")
        child.type(b"abc\r~.")
        assert await child.wait() == 0
    assert server.terminals["one"].model.input == b""


async def test_a_pipe_is_sent_as_it_is_and_then_ctrl_d(server: TerminalServer) -> None:
    terminal = server.terminals["one"]
    given = bytes(range(256)) * 1000 + b"exit 4\n"
    async with server:
        done = await piped(server, given)
    assert (done.returncode, done.stderr) == (4, b"")
    assert done.stdout.rstrip(b"\x04") == given
    assert terminal.model.input.startswith(given)


async def test_a_file_ends_with_ctrl_d_also_in_the_midst_of_a_line(server: TerminalServer, tmp_path: Path) -> None:
    terminal = server.terminals["one"]
    file = tmp_path / "input"
    file.write_bytes(b"no newline")
    async with server:
        running = asyncio.create_task(piped(server, file))
        await until(lambda: terminal.model.input == b"no newline\x04\x04", "the end of the file")
        began_s = time.monotonic()
        await until(lambda: terminal.model.input.endswith(3 * b"\x04"), "once more, as nothing happened")
        assert time.monotonic() - began_s > 0.5
        terminal.exit(0)
        assert (await running).returncode == 0


async def test_all_output_of_a_program_that_ends_at_once_goes_into_the_pipe(server: TerminalServer) -> None:
    terminal = server.terminals["one"]
    terminal.print(bytes(range(256)) * 20_000)
    terminal.exit(9)
    async with server:
        done = await piped(server, b"", "--read-only")
    assert (done.returncode, done.stdout) == (9, bytes(terminal.model.output))


async def test_a_closed_pipe_ends_it(server: TerminalServer) -> None:
    server.terminals["one"].print(bytes(1_000_000))
    command = [sys.executable, *COMMAND, "one", "--url", "URL", "--token", TOKEN, "--read-only"]

    def run() -> tuple[int, bytes]:
        command[command.index("URL")] = server.url
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        ) as child:
            assert child.stdout is not None and child.stderr is not None
            child.stdout.read(10)
            child.stdout.close()
            return child.wait(20), child.stderr.read()

    async with server:
        assert await asyncio.to_thread(run) == (1, b"")
