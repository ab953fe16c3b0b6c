"""`jupyter ws-hub terminal` against a real server: which terminal it takes, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..support.address import until
from ..support.pty_child import PtyChild
from ..support.server import TOKEN, RealServer

Start = Callable[..., RealServer]


class Command:
    """The command for one server."""

    def __init__(self, server: RealServer) -> None:
        self.server = server

    def __call__(self, *arguments: str, given: bytes = b"", token: str = TOKEN) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "jupyter_ws_hub.cli", "terminal", "--url", self.server.url, "--token", token]
        return subprocess.run([*command, *arguments], input=given, capture_output=True, timeout=30)


@pytest.fixture
def command(start_server: Start) -> Command:
    return Command(start_server())


def test_terminals_are_made_attached_listed_and_missed(command: Command) -> None:
    assert command("--list").stdout == b""
    done = command(given=b"echo $((6 * 7)); exit 3\n")
    assert (done.returncode, done.stderr) == (3, b"") and b"\n42\r\n" in done.stdout.replace(b"\r\r", b"\r")

    missing = command("mine")
    assert missing.returncode == 1 and b"--create" in missing.stderr
    assert command("mine", "--create", given=b"kill -9 $$\n").returncode == 128 + 9


def test_a_terminal_goes_on_after_its_watcher_has_left(command: Command) -> None:
    url = f"{command.server.url}api/terminals?token={TOKEN}"
    subprocess.run([sys.executable, "-c", f"import urllib.request as r; r.urlopen({url!r}, b'{{}}')"], check=True)
    names = command("--list").stdout.split()
    assert len(names) == 1
    name = names[0].decode()
    watcher = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyter_ws_hub.cli",
            "terminal",
            name,
            "--url",
            command.server.url,
            "--token",
            TOKEN,
            "--read-only",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    with watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.read(1)
        watcher.terminate()
        assert watcher.wait(20) == 128 + 15
    assert command("--list").stdout.split() == names
    assert command(name, given=b"exit 0\n").returncode == 0


def test_a_new_terminal_may_begin_in_a_folder(command: Command) -> None:
    folder = command.server.root / "a folder"
    folder.mkdir()
    assert b"/a folder" in command("--cwd", "a folder", given=b"pwd; exit\n").stdout


async def test_who_detaches_finds_everything_again_with_the_size_of_the_window(command: Command) -> None:
    arguments = [
        "-m",
        "jupyter_ws_hub.cli",
        "terminal",
        "mine",
        "--create",
        "--url",
        command.server.url,
        "--token",
        TOKEN,
    ]
    async with PtyChild(arguments) as child:
        child.type(b"stty size; x=kept; PS1='rea''dy> '\r")
        await child.wait_for(b"24 80\r\n")
        child.resize(40, 120)
        child.kill(signal.SIGWINCH)
        child.type(b"sleep 0.2; stty size\r")
        await child.wait_for(b"40 120\r\n")
        child.type(b"~.")
        assert await child.wait() == 0
        assert child.modes == child.before
    async with PtyChild(arguments) as child:
        await child.wait_for(b"40 120\r\n")
        child.type(b"echo it is $x; cat\r")
        await child.wait_for(b"it is kept\r\n")
        child.type(b"\x03")
        await until(lambda: child.output.endswith(b"ready> "), "the prompt")
        child.type(b"exit 6\r")
        assert await child.wait() == 6
        assert child.modes == child.before


def test_a_wrong_token_is_refused(command: Command) -> None:
    done = command(token="wrong")
    assert done.returncode == 2 and b"--token" in done.stderr


def test_a_million_bytes_arrive_though_the_shell_ends_at_once(command: Command) -> None:
    done = command(given=b"stty -echo -opost; echo; head -c 1000000 /dev/zero | tr '\\0' x; exit 5\n")
    assert done.returncode == 5
    assert done.stdout.count(b"x") >= 1_000_000


def test_the_server_may_be_found_by_its_folder(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(command.server.base_dir / "runtime"))
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_ws_hub.cli", "terminal", "--list"],
        capture_output=True,
        timeout=30,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, b"No terminals.\n")
