"""A service knows which of its topics are followed, before the first is answered and after the last has left."""

from __future__ import annotations

import asyncio
import logging

import pytest

from jupyter_ws_hub.hub.declare import Topic
from jupyter_ws_hub.hub.followers import Followers
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import Subscribe

from ..support.fakes import turns, until
from .client import READ, Desk, Note, make_hub, opened


class Watchman:
    """A service that notes what it is told; `gate` holds it up, `error` is raised."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.spec = Topic("notes/*", {"note": Note}, READ, watched=self.watched)

    async def watched(self, topic: str, begin: bool) -> None:
        self.told.append((topic, begin))
        await self.gate.wait()
        if self.error is not None:
            raise self.error


@pytest.fixture
def followers() -> Followers:
    return Followers(logging.getLogger("test"))


async def test_it_is_told_of_the_first_and_of_the_last(followers: Followers) -> None:
    man = Watchman()
    for who in "ab":
        await followers.enter(man.spec, "notes/x", who)
    await followers.enter(man.spec, "notes/y", "a")
    followers.leave(man.spec, "notes/x", "a")
    followers.leave(man.spec, "notes/x", "a")
    await turns()
    assert man.told == [("notes/x", True), ("notes/y", True)]
    followers.leave(man.spec, "notes/x", "b")
    await turns()
    assert man.told[2:] == [("notes/x", False)]
    await followers.enter(man.spec, "notes/x", "c")
    assert man.told[3:] == [("notes/x", True)]


async def test_a_second_one_waits_until_the_first_is_followed(followers: Followers) -> None:
    man = Watchman()
    man.gate.clear()
    entering = [asyncio.create_task(followers.enter(man.spec, "notes/x", who)) for who in "ab"]
    await turns()
    assert man.told == [("notes/x", True)] and not any(task.done() for task in entering)
    man.gate.set()
    await asyncio.gather(*entering)
    assert len(man.told) == 1


async def test_who_comes_while_the_last_one_leaves_is_followed_anew(followers: Followers) -> None:
    man = Watchman()
    await followers.enter(man.spec, "notes/x", "a")
    man.gate.clear()
    followers.leave(man.spec, "notes/x", "a")
    await turns()
    entering = asyncio.create_task(followers.enter(man.spec, "notes/x", "b"))
    await turns()
    assert man.told == [("notes/x", True), ("notes/x", False)]
    man.gate.set()
    await entering
    assert man.told[2:] == [("notes/x", True)]


async def test_a_refusal_leaves_nothing_behind(followers: Followers) -> None:
    man = Watchman()
    man.error = HubError(Code.NOT_FOUND, "no such thing")
    with pytest.raises(HubError):
        await followers.enter(man.spec, "notes/x", "a")
    await turns()
    assert followers._topics == {}
    man.error = None
    await followers.enter(man.spec, "notes/x", "a")
    assert man.told == [("notes/x", True), ("notes/x", True)]


async def test_who_gives_up_while_waiting_does_not_spoil_it_for_others(followers: Followers) -> None:
    man = Watchman()
    man.gate.clear()
    first = asyncio.create_task(followers.enter(man.spec, "notes/x", "a"))
    await turns()
    second = asyncio.create_task(followers.enter(man.spec, "notes/x", "b"))
    await turns()
    first.cancel()
    man.gate.set()
    await second
    assert man.told == [("notes/x", True), ("notes/x", True)]
    followers.leave(man.spec, "notes/x", "b")
    await until(lambda: not followers._topics)


async def test_a_service_that_fails_at_the_end_is_told_of_in_the_log(
    followers: Followers, caplog: pytest.LogCaptureFixture
) -> None:
    man = Watchman()
    await followers.enter(man.spec, "notes/x", "a")
    man.error = RuntimeError("broken")
    followers.leave(man.spec, "notes/x", "a")
    await until(lambda: "broken" in caplog.text)


async def test_stopping_ends_what_is_under_way(followers: Followers) -> None:
    man = Watchman()
    await followers.enter(man.spec, "notes/x", "a")
    man.gate.clear()
    followers.leave(man.spec, "notes/x", "a")
    await turns()
    await followers.stop()
    assert not followers._chores.tasks


async def test_connections_that_come_and_go_are_followers() -> None:
    man = Watchman()
    hub = make_hub(Desk(), topics=[man.spec])
    clients = [await opened(hub) for _ in range(2)]
    for client in clients:
        assert (await client.subscribe(1, "notes/x")).status == "ok"
    assert man.told == [("notes/x", True)]
    assert (await clients[0].subscribe(2, "notes/x")).status == "ok"
    for client in clients:
        client.lose()
    await until(lambda: man.told[1:] == [("notes/x", False)])
    man.error = HubError(Code.BUSY, "too many")
    client = await opened(hub)
    assert await client.refusal(Subscribe(1, "notes/x", "latest")) == "busy"
