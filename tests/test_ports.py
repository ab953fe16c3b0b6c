"""The ports hand on what they are given: permission by the authorizer's word, time in milliseconds."""

from __future__ import annotations

import logging

import pytest

from jupyter_ws_hub.ports import Peer, Runtime
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError


async def test_require_asks_the_authorizer_and_names_what_is_missing() -> None:
    asked: list[tuple[str, str]] = []

    async def authorize(action: str, resource: str) -> bool:
        asked.append((action, resource))
        return action == "read"

    peer = Peer("owner", "alice", "Alice", authorize)
    await peer.require("read", "contents", "files.list")
    with pytest.raises(HubError) as caught:
        await peer.require("write", "contents", "files.save")
    assert asked == [("read", "contents"), ("write", "contents")]
    assert caught.value.code is Code.FORBIDDEN
    assert not caught.value.code.retryable
    for part in ("alice", "files.save", "'write'", "'contents'"):
        assert part in caught.value.message


async def test_an_authorizer_that_fails_gives_no_permission() -> None:
    async def authorize(action: str, resource: str) -> bool:
        raise RuntimeError("the authorizer is broken")

    with pytest.raises(RuntimeError, match="the authorizer is broken"):
        await Peer("owner", "alice", "Alice", authorize).require("read", "contents", "files.list")


def test_the_clock_is_told_in_whole_milliseconds() -> None:
    runtime = Runtime(lambda: 1234.5678, lambda: 0.0, lambda: "id", logging.getLogger("test"), lambda: None)
    assert runtime.now_ms() == 1_234_567
