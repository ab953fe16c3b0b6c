"""A plain `jupyter server`, with no JupyterLab, serves every endpoint under its base_url and ends as it should."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.transfer import Done
from tests.support.client import Address, FileClient, HubClient
from tests.support.server import TOKEN, RealServer

Start = Callable[..., RealServer]


def get(server: RealServer, path: str, token: str | None = TOKEN) -> tuple[int, bytes]:
    """The status and body of a GET."""
    headers = {"Authorization": f"token {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(server.url + path, headers=headers), timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def make_terminal(server: RealServer) -> str:
    """A new terminal's name."""
    request = urllib.request.Request(
        f"{server.url}api/terminals", method="POST", headers={"Authorization": f"token {TOKEN}"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return str(json.loads(response.read())["name"])


async def all_endpoints_work(server: RealServer) -> None:
    address, data = Address.of(server), os.urandom(100_000)
    async with HubClient(address) as hub:
        await hub.subscribe("chat/general")
        posted = await hub.request("chat.post", {"room": "general", "text": "hi", "id": "1"})
        (event,) = await hub.next_events(1)
        assert (event.offset, event.data["text"]) == (posted["seq"], "hi")
        up = await hub.request("transfers.create", {"direction": "upload", "path": "a.bin", "size": len(data)})
        assert isinstance(await FileClient(address, up["op"]).upload(data), Done)
        down = await hub.request("transfers.create", {"direction": "download", "path": "a.bin"})
        client = FileClient(address, down["op"])
        assert isinstance(await client.download(), Done)
        assert bytes(client.data) == data
        terminal = await address.open(f"ws/terminal/{make_terminal(server)}")
        async with asyncio.timeout(10):
            assert await terminal.recv() == '["setup", {}]'
        await terminal.close()
        states = {service["state"] for service in (await hub.request("status.get"))["services"]}
        assert states == {"ok"}


async def test_a_plain_server_serves_every_endpoint_under_its_base_url(start_server: Start) -> None:
    server = start_server(base_url="/a%40b/c/")
    assert get(server, "lab")[0] == 404
    assert get(server, "ws/chat")[0] == 410
    assert get(server, "ws/chat", token=None)[0] == 403
    assert get(server, "ws", token="wrong")[0] == 403
    await all_endpoints_work(server)
    assert "Traceback" not in server.log_text
    assert "Task exception was never retrieved" not in server.log_text


async def test_a_server_that_is_told_to_end_says_goodbye_and_is_there_again_with_its_messages(
    start_server: Start,
) -> None:
    server = start_server()
    address = Address.of(server)
    hub, terminal = HubClient(address), await address.open(f"ws/terminal/{make_terminal(server)}")
    await hub.connect()
    await hub.subscribe("chat/general")
    await hub.request("chat.post", {"room": "general", "text": "before", "id": "1"})
    op = await hub.request("transfers.create", {"direction": "upload", "path": "a.bin", "size": 10})
    stream = FileClient(address, op["op"])
    await stream.open()
    await asyncio.to_thread(server.stop)
    assert await hub.wait_closed() == Code.SHUTTING_DOWN
    await asyncio.wait_for(stream.socket.wait_closed(), 5)
    assert stream.socket.close_code == Code.SHUTTING_DOWN
    await asyncio.wait_for(terminal.wait_closed(), 5)
    # 1000 and 1001 without ["disconnect", 1] would leave JupyterLab's terminals dead without a word.
    ended = [message async for message in terminal] if terminal.close_code in (1000, 1001) else []
    assert terminal.close_code == Code.SHUTTING_DOWN or '["disconnect", 1]' in ended
    assert len(os.listdir(server.root)) == 1, "what has arrived of the upload is kept"
    await asyncio.to_thread(server.start)
    assert (await hub.reconnect()).resumed is True
    assert [answer.status for answer in await hub.wait_for(lambda: hub.subscribed, "the topic")] == ["ok"]
    history = await hub.request("chat.history", {"room": "general"})
    assert [message["text"] for message in history["messages"]] == ["before"]
    await hub.drop()
    await stream.close()
