"""`/ws/chat` is gone, and says where chat is now."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_chat_endpoint_is_gone_and_names_its_successor(jp_fetch: Any, jp_base_url: str, method: str) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch("ws", "chat", method=method, body="{}" if method == "POST" else None)
    assert caught.value.code == 410
    assert caught.value.response is not None
    body = json.loads(caught.value.response.body)
    assert body["endpoint"] == f"{jp_base_url}ws"
    assert body["code"] == "gone"
    assert "/ws" in body["message"]


async def test_chat_endpoint_needs_a_user(http_server_client: Any, jp_base_url: str) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await http_server_client.fetch(f"{jp_base_url}ws/chat", follow_redirects=False)
    assert caught.value.code in (302, 403)
