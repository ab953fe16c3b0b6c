"""Notifications from a kernel, a terminal, a shell, an extension and events, with real servers of each kind."""

from __future__ import annotations

import asyncio
import hashlib
import http.cookiejar
import json
import os
import subprocess
import sys
import textwrap
import time
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import REPOSITORY, Address, HubClient, Message, until
from tests.support.server import TOKEN, RealServer

Start = Callable[..., RealServer]
SCHEMA = "https://events.jupyter.org/jupyter_server/contents_service/v1"
RULE = {"title": "{action}d {path}", "when": {"action": "save"}}
PASSWORD = "correct horse"
HASHED = f"sha256:salt:{hashlib.sha256((PASSWORD + 'salt').encode()).hexdigest()}"
PEM = REPOSITORY / "tests" / "support" / "self_signed.pem"
NAMED = f"""
from jupyter_server.auth import IdentityProvider, User

class ByToken(IdentityProvider):
    "Users have names, and each a token of their own."

    async def get_user_token(self, handler):
        name = {{"alice-token": "alice", "bob-token": "bob", {TOKEN!r}: "carol"}}.get(self.get_token(handler))
        return User(name) if name else None

c.ServerApp.identity_provider_class = ByToken
c.HubApp.notification_events = {{{SCHEMA!r}: {RULE!r}}}
"""
PRINT = "from jupyter_ws_hub import notify; print(notify('hello', id='h'))"


def environment_of(server: RealServer) -> dict[str, str]:
    """What a program of the server's user has, that the server has not begun."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "JPY"))}
    runtime = str(server.base_dir / "runtime")
    return {**clean, "JUPYTER_RUNTIME_DIR": runtime, "PYTHONPATH": str(REPOSITORY)}


def run(server: RealServer, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A program of the server's user, to its end."""
    environment = environment_of(server) | options.pop("more", {})
    return subprocess.run(
        command, env=environment, cwd=options.pop("cwd", "/"), text=True, capture_output=True, timeout=50, **options
    )


async def beacon_of(server: RealServer) -> dict[str, Any]:
    """What the file of a server says; it comes soon after the first answer."""
    runtime = server.base_dir / "runtime"
    (path,) = await until(lambda: list(runtime.glob("ws-hub-*.json")), "the server's file")
    fields: dict[str, Any] = json.loads(path.read_text())
    return fields


def api(server: RealServer, path: str, body: Any = None, **headers: str) -> Any:
    """What the server answers to a GET, or to a POST of `body`."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(f"{server.url}api/{path}", data, {"Authorization": f"token {TOKEN}", **headers})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return json.loads(answer.read())


async def told(client: HubClient, number: int = 1) -> list[dict[str, Any]]:
    """The next notifications that come."""
    events: list[Message] = await client.next_events(number, "notifications/me", 30)
    return [event.data for event in events]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One server under a base_url, that notifies of saved files."""
    config = f"c.HubApp.notification_events = {{{SCHEMA!r}: {RULE!r}}}\n"
    server = RealServer(tmp_path_factory.mktemp("notify"), base_url="/a%40b/", config=config)
    with server.running(silent=True):
        yield server


async def with_client(server: RealServer, work: Callable[[HubClient], Awaitable[None]]) -> None:
    """Do it with somebody who looks."""
    await beacon_of(server)
    async with HubClient(Address.of(server)) as client:
        await client.subscribe("notifications/me")
        await work(client)


async def in_kernel(server: RealServer, code: str) -> str:
    """Run code in a new kernel of the server; what it prints."""
    notebook = {"path": "work/train.ipynb", "name": "train.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    session = await asyncio.to_thread(api, server, "sessions", notebook)
    socket = await Address.of(server).open(f"api/kernels/{session['kernel']['id']}/channels", timeout_s=40)
    content = {"code": textwrap.dedent(code), "silent": False, "store_history": False, "allow_stdin": False}
    header = {"msg_id": "m1", "msg_type": "execute_request", "session": "s1", "username": "", "version": "5.3"}
    asked = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    printed: list[str] = []
    try:
        await socket.send(json.dumps(asked))
        async with asyncio.timeout(40):
            while True:
                message = json.loads(await socket.recv())
                said, kind = message["content"], message["header"]["msg_type"]
                if message["parent_header"].get("msg_id") != "m1":
                    continue
                printed += [said["text"]] if kind == "stream" else [said["ename"]] if kind == "error" else []
                if kind == "status" and said["execution_state"] == "idle":
                    return "".join(printed)
    finally:
        socket.transport.abort()
        await socket.wait_closed()


async def test_a_kernel_notifies_and_shows_how_far_it_has_come(server: RealServer) -> None:
    async def work(client: HubClient) -> None:
        code = """
            import sys
            from jupyter_ws_hub import notify
            print(notify("Training done", "loss 0.1", level="success", actions=[("Open", "work/model.bin")]))
            for epoch in notify.track(range(3), "Epochs"):
                pass
            print("jupyter_server" in sys.modules, "jupyter_ws_hub.app" in sys.modules)
        """
        assert await in_kernel(server, code) == "True\nFalse False\n"
        done, *epochs = await told(client, 2)
        while epochs[-1]["progress"] != 1:
            epochs += await told(client)
        assert (done["title"], done["level"], done["source"]) == ("Training done", "success", "train.ipynb")
        assert done["sender"] == "owner"
        assert epochs[-1]["message"].startswith("3 of 3")

    await with_client(server, work)


async def test_a_loop_whose_cell_fails_is_told_as_failed(server: RealServer) -> None:
    async def work(client: HubClient) -> None:
        code = """
            from jupyter_ws_hub import notify
            for epoch in notify.track(range(3), "Epochs"):
                1 / (1 - epoch)
        """
        assert "ZeroDivisionError" in await in_kernel(server, code)
        notes = await told(client)
        while notes[-1]["level"] == "info":
            notes += await told(client)
        assert notes[-1]["level"] == "error"
        assert notes[-1]["message"].startswith("At 1 of 3 after 0 s: ZeroDivisionError")

    await with_client(server, work)


async def test_a_terminal_of_the_server_notifies_by_the_command(server: RealServer) -> None:
    async def work(client: HubClient) -> None:
        name = api(server, "terminals", {})["name"]
        socket = await Address.of(server).open(f"terminals/websocket/{name}")
        try:
            command = f"'{sys.executable}' -m jupyter_ws_hub.cli notify 'make has ended' -m \"status $?\""
            await socket.send(json.dumps(["stdin", f"{command} --level success\r"]))
            (done,) = await told(client)
        finally:
            socket.transport.abort()
            await socket.wait_closed()
        assert (done["title"], done["message"], done["level"]) == ("make has ended", "status 0", "success")

    await with_client(server, work)


async def test_a_pipe_is_followed(server: RealServer) -> None:
    async def work(client: HubClient) -> None:
        command = (
            sys.executable,
            "-m",
            "jupyter_ws_hub.cli",
            "notify",
            "Backup",
            "--follow",
            "--id",
            "backup",
            "--level",
            "success",
        )
        ended = await asyncio.to_thread(run, server, *command, input="10%\n50%\nall done\n")
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "10%\n50%\nall done\n", "")
        notes = await told(client)
        while notes[-1]["level"] != "success":
            notes += await told(client)
        assert {note["id"] for note in notes} == {"backup"}
        assert (notes[-1]["message"], notes[-1]["progress"]) == ("all done", 1)

    await with_client(server, work)


async def test_a_saved_file_is_notified_of(server: RealServer) -> None:
    async def work(client: HubClient) -> None:
        await client.request("files.create", {"path": "a.txt"})
        await client.request("files.save", {"path": "a.txt", "content": "x"})
        (saved,) = await told(client)
        assert (saved["title"], saved["sender"], saved["source"]) == ("saved a.txt", "server", SCHEMA)

    await with_client(server, work)


async def test_a_script_posts_with_the_token(server: RealServer) -> None:
    async def work(client: HubClient) -> None:
        answer = api(server, "ws-hub/notifications", {"title": "curl", "id": "c1"})
        assert (answer["id"], answer["topic"]) == ("c1", "notifications/me")
        (note,) = await told(client)
        assert note["title"] == "curl"

    await with_client(server, work)


async def test_another_user_of_the_machine_cannot_read_the_secret(server: RealServer) -> None:
    await beacon_of(server)
    (path,) = (server.base_dir / "runtime").glob("ws-hub-*.json")
    assert path.stat().st_mode & 0o777 == 0o600
    if os.geteuid() == 0:
        for folder in (server.base_dir, *server.base_dir.parents):
            if str(folder).startswith("/tmp/"):
                folder.chmod(0o755)
        other = {"user": 65534, "group": 65534, "extra_groups": []}
        ended = await asyncio.to_thread(run, server, "cat", str(path), **other)
        assert (ended.stdout, "Permission denied" in ended.stderr) == ("", True)


async def test_the_file_is_gone_with_the_server_and_that_of_a_killed_one_is_cleaned_away(start_server: Start) -> None:
    server = start_server()
    first = await beacon_of(server)
    server.kill()
    assert run(server, sys.executable, "-c", PRINT).stdout == "False\n"
    server.start()
    await until(lambda: [one for one in files(server) if f"-{first['pid']}.json" not in one.name], "the new file")
    assert len(files(server)) == 1
    assert run(server, sys.executable, "-c", PRINT).stdout == "True\n"
    server.stop()
    assert files(server) == []


def files(server: RealServer) -> list[Path]:
    """The files of servers."""
    return list((server.base_dir / "runtime").glob("ws-hub-*.json"))


async def test_a_server_with_a_password_is_notified_without_it(start_server: Start) -> None:
    config = f"c.IdentityProvider.token = ''\nc.PasswordIdentityProvider.hashed_password = {HASHED!r}\n"
    server = start_server(config=config)
    await beacon_of(server)
    assert run(server, sys.executable, "-c", PRINT).stdout == "True\n"
    async with HubClient(Address(server.port, "/", {"Cookie": await asyncio.to_thread(log_in, server)})) as client:
        (item,) = (await client.request("notifications.list"))["items"]
    assert item["notification"]["title"] == "hello"


def log_in(server: RealServer) -> str:
    """The cookies of a browser that has given the password."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    browser.open(f"{server.url}login", timeout=20).close()
    (xsrf,) = [cookie.value for cookie in jar if cookie.name == "_xsrf"]
    form = urllib.parse.urlencode({"password": PASSWORD, "_xsrf": xsrf}).encode()
    browser.open(f"{server.url}login?next={urllib.parse.quote('/api/status')}", form, timeout=20).close()
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


async def shown(server: RealServer, user: str) -> list[str]:
    """What a user of a server with names is shown."""
    async with HubClient(Address(server.port, "/", {"Authorization": f"token {user}-token"})) as client:
        return [item["notification"]["title"] for item in (await client.request("notifications.list"))["items"]]


async def test_where_users_have_names_and_none_is_the_owner_a_program_is_told_what_to_do(start_server: Start) -> None:
    server = start_server(config=NAMED)
    await beacon_of(server)
    script = await asyncio.to_thread(run, server, sys.executable, "-c", PRINT)
    assert (script.stdout, 'c.HubApp.owner = "name"' in script.stderr) == ("False\n", True)
    cell = await in_kernel(server, PRINT)
    assert (cell.splitlines()[-1], 'c.HubApp.owner = "name"' in cell) == ("False", True)
    command = (sys.executable, "-m", "jupyter_ws_hub.cli", "notify", "from the shell")
    refused = await asyncio.to_thread(run, server, *command)
    assert refused.returncode == 1
    assert refused.stderr.startswith("jupyter ws-hub: Nobody would see this")
    to_all = await asyncio.to_thread(run, server, *command, "--to", "all")
    assert (to_all.returncode, "notifications to everybody" in to_all.stderr) == (2, True)
    own = await asyncio.to_thread(run, server, *command, "--token", "alice-token")
    assert (own.returncode, own.stderr) == (0, "")
    assert api(server, "ws-hub/notifications", {"title": "by curl"}, Authorization="token bob-token")["offset"] == 1
    assert await shown(server, "alice") == ["from the shell"]
    assert await shown(server, "bob") == ["by curl"]


async def test_where_users_have_names_and_none_is_the_owner_the_log_says_once_what_to_do(start_server: Start) -> None:
    server = start_server(config=NAMED)
    await beacon_of(server)
    async with HubClient(Address.of(server)) as client:
        await client.request("files.create", {"path": "a.txt"})
        for text in ("x", "y"):
            await client.request("files.save", {"path": "a.txt", "content": text})
        await until(lambda: 'c.HubApp.owner = "name"' in server.log_text, "the warning")
        assert (await client.request("notifications.list"))["items"] == []
    server.stop()
    assert server.log_text.count("c.HubApp.owner") == 1


async def test_where_users_have_names_the_owner_is_whom_the_configuration_names(start_server: Start) -> None:
    server = start_server(config=f"{NAMED}c.HubApp.owner = 'alice'\n")
    await beacon_of(server)
    assert (await asyncio.to_thread(run, server, sys.executable, "-c", PRINT)).stdout == "True\n"
    assert await shown(server, "alice") == ["hello"]
    assert await shown(server, "bob") == []


class Unasked(RealServer):
    """A server that answers at no usual address: its file says when it is there."""

    def _wait_until_ready(self) -> None:
        end_s = time.monotonic() + 40
        while not files(self):
            assert time.monotonic() < end_s, self.log_text
            time.sleep(0.05)


@pytest.mark.parametrize("kind", ["tls", "unix"])
async def test_a_server_behind_a_self_signed_certificate_or_a_unix_socket_is_notified(
    tmp_path: Path, kind: str
) -> None:
    config = {
        "tls": f"c.ServerApp.certfile = c.ServerApp.keyfile = {str(PEM)!r}\n",
        # Jupyter takes any port but its default for a second address.
        "unix": f"c.ServerApp.sock = {str(tmp_path / 's.sock')!r}\nc.ServerApp.port = 8888\n",
    }[kind]
    server = Unasked(tmp_path / "server", config=config)
    with server.running(silent=True):
        assert run(server, sys.executable, "-c", PRINT).stdout == "True\n"
        if kind == "tls":
            path = files(server)[0]
            fields = json.loads(path.read_text())
            path.write_text(json.dumps({**fields, "fingerprint": "0" * 64}))
            ended = run(server, sys.executable, "-c", PRINT)
            assert ended.stdout == "False\n"
            assert "its certificate is not the server's" in ended.stderr
