"""How many connections one user may have on `/ws`, and what the one too many is told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from jupyter_ws_hub.protocol import HUB_SUBPROTOCOL
from jupyter_ws_hub.protocol.codes import Code
from tests.support.client import Address, HubClient


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """With the settings of HubApp that a test asks for."""
    jp_server_config["HubApp"].update(getattr(request, "param", {}))
    return jp_server_config


def hub_settings(**traits: object) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("jp_server_config", [traits], indirect=True)


@pytest.fixture
def address(http_server: Any, jp_http_port: int, jp_base_url: str, jp_auth_header: dict[str, str]) -> Address:
    return Address(jp_http_port, jp_base_url, jp_auth_header)


async def sent_away(address: Address) -> dict[str, Any]:
    """What a client is told that gets no connection, before the socket closes with the same code."""
    socket = await address.open("ws", HUB_SUBPROTOCOL)
    async with asyncio.timeout(5):
        (bye,) = json.loads(await socket.recv())
        await socket.wait_closed()
    assert bye.pop("type") == "bye"
    assert socket.close_code == bye["code"]
    assert isinstance(bye, dict)
    return bye


@hub_settings(max_connections_per_user=2)
async def test_one_connection_too_many_of_a_user_is_sent_away_and_told_when_to_come_back(address: Address) -> None:
    async with HubClient(address) as one:
        async with HubClient(address) as two:
            bye = await sent_away(address)
            assert (bye["code"], bye["retry_after_ms"]) == (Code.BUSY, 5000)
            assert "2" in bye["reason"]
            assert await one.request("chat.rooms")
            assert await two.bye() == 1000
        async with HubClient(address) as three:
            assert await three.request("chat.rooms")


@hub_settings(max_connections_per_user=0)
async def test_a_user_s_connections_need_not_be_limited(address: Address) -> None:
    clients = [HubClient(address) for _ in range(70)]
    for client in clients:
        await client.connect()
    for client in clients:
        await client.drop()
