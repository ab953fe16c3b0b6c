"""People of different permissions in one server's rooms: who may say, see and change what, and what a flood costs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from tests.support.client import HubClient
from tests.support.server import RealServer
from tests.support.users import BY_HEADER, user

POSTS_PER_MINUTE = 120
CONFIG = f"""
{BY_HEADER}
from jupyter_server.auth import Authorizer

class Class(Authorizer):
    "A teacher may do everything; guests read; all others write, but do not moderate."

    def is_authorized(self, handler, user, action, resource):
        if user.username == "guest" and resource == "chat":
            return action == "read"
        return user.username == "teacher" or action != "moderate"

c.ServerApp.authorizer_class = Class
c.HubApp.chat_posts_per_minute = {POSTS_PER_MINUTE}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One server for all tests of this file; each test has rooms of its own."""
    server = RealServer(tmp_path_factory.mktemp("server"), config=CONFIG)
    try:
        server.start()
        yield server
        assert "Traceback" not in server.log_text
        assert "never retrieved" not in server.log_text
    finally:
        server.stop()


def person(server: RealServer, name: str) -> HubClient:
    """A client of a user of some name."""
    return HubClient(user(server, name))


async def code(work: Any) -> Code:
    """The code of the error that a request is answered with."""
    with pytest.raises(HubError) as caught:
        await work
    return caught.value.code


async def say(client: HubClient, room: str, text: str, id: str, **more: Any) -> dict[str, Any]:
    """Post a message."""
    message: dict[str, Any] = await client.request("chat.post", {"room": room, "text": text, "id": id, **more})
    return message


async def test_a_forged_sender_is_not_believed(server: RealServer) -> None:
    async with person(server, "mallory") as mallory, person(server, "alice") as alice:
        await alice.subscribe("chat/general")
        forged = {"author": {"username": "alice", "display_name": "Alice", "assistant": True}, "edited_by": "alice"}
        message = await say(mallory, "general", "I am Alice", "forged", answer={"state": "done"}, **forged)
        (event,) = await alice.next_events(1)
        for author in (message["author"], event.data["author"]):
            assert author == {"username": "mallory", "display_name": "Mallory", "assistant": False}
        assert message["answer"] is None and message["edited_by"] == ""


async def test_a_strangers_message_is_not_edited_and_a_moderator_is_seen(server: RealServer) -> None:
    async with (
        person(server, "alice") as alice,
        person(server, "bob") as bob,
        person(server, "teacher") as teacher,
    ):
        await teacher.request("chat.create", {"name": "class"})
        await bob.subscribe("chat/class")
        await say(alice, "class", "first words", "a1")
        edit = {"room": "class", "id": "a1", "text": "changed", "version": 1}
        assert await code(bob.request("chat.edit", edit)) is Code.FORBIDDEN
        assert await code(bob.request("chat.delete", {"room": "class", "id": "a1"})) is Code.FORBIDDEN
        assert (await alice.request("chat.edit", edit))["edited_by"] == ""
        assert await code(alice.request("chat.edit", {**edit, "text": "other"})) is Code.CONFLICT
        moderated = await teacher.request("chat.edit", {**edit, "text": "polite", "version": 2})
        assert (moderated["author"]["username"], moderated["edited_by"]) == ("alice", "teacher")
        await teacher.request("chat.delete", {"room": "class", "id": "a1"})
        events = await bob.next_events(4)
        assert [event.kind for event in events] == ["message", *["message.changed"] * 3]
        assert events[-1].data["message"]["deleted"] is True
        await say(alice, "class", "the end", "a2")
    async with person(server, "bob") as late:
        await late.subscribe("chat/class", "earliest")
        await late.wait_for(lambda: "the end" in repr(late.events), "the whole replay")
        replayed = json.dumps([event.data for event in late.events])
        for words in ("first words", "changed", "polite"):
            assert words not in replayed
        assert (await late.request("chat.search", {"text": "polite"}))["hits"] == []


async def test_of_a_private_room_others_learn_nothing_also_moderators(server: RealServer) -> None:
    async with (
        person(server, "alice") as alice,
        person(server, "bob") as bob,
        person(server, "teacher") as teacher,
    ):
        await alice.request("chat.create", {"name": "secret", "private": True, "members": ["bob"]})
        await say(alice, "secret", "hidden treasure", "s1")
        await alice.request("chat.presence", {"room": "secret"})
        for client in (teacher,):
            for method, params in (
                ("history", {}),
                ("message", {"id": "s1"}),
                ("post", {"text": "hi", "id": "s2"}),
                ("export", {}),
                ("search", {"text": "treasure"}),
                ("presence", {}),
                ("remove", {}),
                ("members", {"add": ["teacher"]}),
            ):
                assert await code(client.request(f"chat.{method}", {"room": "secret", **params})) is Code.NOT_FOUND
            for topic in ("chat/secret", "presence/secret"):
                assert await code(client.subscribe(topic)) is Code.NOT_FOUND
            assert (await client.request("chat.search", {"text": "treasure"}))["hits"] == []
            names = [state["room"]["name"] for state in (await client.request("chat.rooms"))["rooms"]]
            assert "secret" not in names
        assert len((await bob.request("chat.search", {"text": "treas"}))["hits"]) == 1


async def test_who_closes_one_of_two_tabs_is_still_there(server: RealServer) -> None:
    async with person(server, "alice") as one, person(server, "alice") as other, person(server, "bob") as bob:
        await bob.subscribe("presence/general")
        for tab in (one, other):
            await tab.request("chat.presence", {"room": "general"})
        await one.reconnect()
        (still,) = (await one.request("chat.presence", {"room": "general", "state": "gone"}))["people"]
        assert still["username"] == "alice"
        assert (await other.request("chat.presence", {"room": "general", "state": "gone"}))["people"] == []
        told = [(event.data["username"], event.data["gone"]) for event in await bob.next_events(2)]
        assert told == [("alice", False), ("alice", True)]


async def test_who_is_put_out_hears_no_more(server: RealServer) -> None:
    async with person(server, "alice") as alice, person(server, "bob") as bob:
        await alice.request("chat.create", {"name": "team", "private": True, "members": ["bob"]})
        await bob.subscribe("chat/team")
        await bob.subscribe("presence/team")
        await say(alice, "team", "for both", "t1")
        await bob.next_events(1)
        await alice.request("chat.members", {"room": "team", "remove": ["bob"]})
        refusals = await bob.wait_for(
            lambda: len([other for other in bob.others if other.type == "reply"]) == 2 and bob.others, "the refusals"
        )
        told = {reply.error.details["topic"] for reply in refusals if reply.error and reply.error.details}
        assert told == {"chat/team", "presence/team"}
        await say(alice, "team", "for one", "t2")
        await bob.request("chat.rooms")
        assert [event.id for event in bob.events if event.topic == "chat/team"] == []
        assert await code(bob.request("chat.history", {"room": "team"})) is Code.NOT_FOUND
        assert await code(bob.subscribe("chat/team", "earliest")) is Code.NOT_FOUND


async def test_a_guest_reads_and_does_not_write(server: RealServer) -> None:
    async with person(server, "guest") as guest, person(server, "alice") as alice:
        await say(alice, "general", "hello guest", "g1")
        history = await guest.request("chat.history", {"room": "general"})
        assert history["messages"][-1]["text"] == "hello guest"
        assert (await guest.request("chat.read", {"room": "general", "seq": 1}))["seq"] == 1
        assert await code(say(guest, "general", "hi", "g2")) is Code.FORBIDDEN
        assert await code(guest.request("chat.create", {"name": "mine"})) is Code.FORBIDDEN


async def test_a_flood_is_refused_with_a_time_and_others_notice_nothing(server: RealServer) -> None:
    async with person(server, "flooder") as flooder, person(server, "bob") as bob:
        await bob.request("chat.create", {"name": "flooded"})
        results: list[Any] = []
        for batch in range(POSTS_PER_MINUTE // 30):
            posts = (say(flooder, "flooded", "x" * 20_000, f"f{batch}-{n}") for n in range(30))
            results += await asyncio.gather(*posts, return_exceptions=True)
        refusals = [result for result in results if isinstance(result, HubError)]
        assert POSTS_PER_MINUTE / 2 <= len(results) - len(refusals) < POSTS_PER_MINUTE
        assert {refusal.code for refusal in refusals} == {Code.RATE_LIMITED}
        assert all(refusal.retry_after_ms for refusal in refusals)
        message = await asyncio.wait_for(say(bob, "flooded", "I can still talk", "b1"), 2)
        assert message["seq"] == len(results) - len(refusals) + 1
        assert await code(say(flooder, "flooded", "x" * 20_001, "long")) is Code.TOO_BIG


async def test_a_room_is_exported_as_it_is_to_read(server: RealServer) -> None:
    async with person(server, "alice") as alice:
        await alice.request("chat.create", {"name": "book", "title": "The book"})
        texts = ["# no heading", "```\nno end of a fence", "plain 😀"]
        for number, text in enumerate(texts):
            await say(alice, "book", text, f"e{number}")
        markdown = "".join(item["text"] for item in await alice.stream("chat.export", {"room": "book"}))
        assert markdown.startswith("# The book\n") and markdown.count("\n# ") == 0 and markdown.count("\n```") == 0
        items = await alice.stream("chat.export", {"room": "book", "format": "json"})
        document = json.loads("".join(item["text"] for item in items))
        assert [message["text"] for message in document["messages"]] == texts


async def test_what_was_said_and_read_is_there_after_the_server_was_killed(server: RealServer) -> None:
    async with person(server, "alice") as alice:
        await alice.request("chat.create", {"name": "lasting", "private": True})
        message = await say(alice, "lasting", "I stay", "l1")
        await alice.request("chat.read", {"room": "lasting", "seq": 1})
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    async with person(server, "alice") as alice:
        assert (await alice.request("chat.history", {"room": "lasting"}))["messages"] == [message]
        states = {state["room"]["name"]: state for state in (await alice.request("chat.rooms"))["rooms"]}
        assert (states["lasting"]["newest"], states["lasting"]["read"]) == (1, 1)
        assert [hit["message"] for hit in (await alice.request("chat.search", {"text": "STAY"}))["hits"]] == [message]
        assert await say(alice, "lasting", "I stay", "l1") == message
