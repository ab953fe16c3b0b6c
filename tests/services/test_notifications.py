"""Notifications: whose they are, what counts once, and how far they are read."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from jupyter_ws_hub.notices.board import Notifications
from jupyter_ws_hub.notices.notification import (
    MAX_MESSAGE_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    Dismissed,
    Notification,
    NotifyParams,
    ReadMarker,
)
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import Event, Subscribe
from jupyter_ws_hub.services.notifications import MAX_PAGE, ListParams, NotificationsService

from ..hub.client import code_of, only, opened
from ..support.fakes import Stage, fake_peer, turns, until

ALICE, BOB = fake_peer("alice"), fake_peer("bob")
ME, ALL = "notifications/me", "notifications/all"
EXECUTE = ("execute", "notifications")


def make() -> tuple[NotificationsService, Stage]:
    """The service on a hub."""
    service = NotificationsService()
    return service, Stage(service)


async def refused(service: NotificationsService, params: NotifyParams) -> Code:
    """The code with which a notification is refused."""
    with pytest.raises(HubError) as caught:
        await service.post(params, ALICE)
    return caught.value.code


def titles(listed: Notifications) -> list[str]:
    """What a list shows."""
    return [item.notification.title for item in listed.items]


async def test_a_notification_says_who_sent_it_and_when() -> None:
    service, stage = make()
    posted = await service.post(NotifyParams("done", "all of it", "success", id="n1"), BOB)
    assert (posted.topic, posted.offset, posted.id) == (ME, 1, "n1")
    (item,) = (await service.list(ListParams(), BOB)).items
    now_ms = stage.runtime.now_ms()
    expected = Notification("n1", "success", "done", "all of it", "bob", now_ms, updated=now_ms)
    assert (item.topic, item.offset, item.read, item.notification) == (ME, 1, False, expected)


async def test_a_notification_without_an_id_gets_one() -> None:
    service, _ = make()
    ids = {(await service.post(NotifyParams("done"), ALICE)).id for _ in range(2)}
    assert len(ids) == 2 and all(ids)


async def test_the_same_again_counts_once() -> None:
    service, stage = make()
    posted = await service.post(NotifyParams("done", id="n1", expires_in_ms=1000), ALICE)
    stage.clock.advance(0.5)
    assert await service.post(NotifyParams("done", id="n1", expires_in_ms=1000), ALICE) == posted
    assert titles(await service.list(ListParams(), ALICE)) == ["done"]
    assert (await stage.log.head(f"{ME}//alice")).offset == 1


async def test_the_same_id_with_something_new_is_an_update() -> None:
    service, _ = make()
    await service.post(NotifyParams("works", id="n1"), ALICE)
    await service.post(NotifyParams("done", id="n1", level="success"), ALICE)
    await until(lambda: service.board.waiting == 0)
    (item,) = (await service.list(ListParams(), ALICE)).items
    assert (item.offset, item.notification.version) == (2, 2)


async def test_my_notifications_are_not_yours() -> None:
    service, stage = make()
    alice, bob = await opened(stage.hub, ALICE), await opened(stage.hub, BOB)
    for client in (alice, bob):
        await client.subscribe(1, ME)
    await service.post(NotifyParams("for alice"), ALICE)
    assert len(only(Event, await alice.read())) == 1
    assert only(Event, await bob.read()) == []
    assert titles(await service.list(ListParams(), BOB)) == []
    bob.send(Subscribe(2, ME, "earliest"))
    assert only(Event, await bob.read()) == []


async def test_what_is_nobody_s_is_refused_but_everybody_can_be_told() -> None:
    service, _ = make()
    nobody = fake_peer("")
    with pytest.raises(HubError, match=r"c\.HubApp\.owner") as caught:
        await service.post(NotifyParams("x"), nobody)
    assert caught.value.code == Code.NOT_FOUND
    assert (await service.post(NotifyParams("x", to="all"), nobody)).topic == ALL


async def test_a_notification_to_all_reaches_everybody() -> None:
    service, stage = make()
    bob = await opened(stage.hub, BOB)
    await bob.subscribe(1, ALL)
    posted = await service.post(NotifyParams("maintenance", to="all"), ALICE)
    assert posted.topic == ALL
    assert len(only(Event, await bob.read())) == 1
    assert titles(await service.list(ListParams(), BOB)) == ["maintenance"]


async def test_who_may_write_may_not_therefore_notify_everybody() -> None:
    _, stage = make()
    client = await opened(stage.hub, fake_peer("carol", denied=[EXECUTE]))
    assert code_of(await client.ask(1, "notifications.post", {"title": "x", "to": "all"})) == "forbidden"
    assert (await stage.log.head(ALL)).offset == 0
    assert (await client.ask(2, "notifications.post", {"title": "x", "to": "me"})).error is None


async def test_each_method_and_topic_needs_its_permission() -> None:
    _, stage = make()
    client = await opened(stage.hub, fake_peer("carol", denied=[("read", "notifications"), ("write", "notifications")]))
    asked: list[tuple[str, dict[str, Any]]] = [
        ("post", {"title": "x"}),
        ("list", {}),
        ("read", {"me": 1}),
        ("dismiss", {"id": "x"}),
    ]
    for ref, (name, params) in enumerate(asked, start=1):
        assert code_of(await client.ask(ref, f"notifications.{name}", params)) == "forbidden"
    for ref, topic in enumerate((ME, ALL), start=10):
        assert await client.refusal(Subscribe(ref, topic)) == "forbidden"


async def test_a_notification_has_a_title_and_is_not_too_long() -> None:
    service, _ = make()
    assert await refused(service, NotifyParams("")) is Code.INVALID
    assert await refused(service, NotifyParams("x" * (MAX_TITLE_CHARACTERS + 1))) is Code.INVALID
    assert await refused(service, NotifyParams("x", "x" * (MAX_MESSAGE_CHARACTERS + 1))) is Code.TOO_BIG
    longest = NotifyParams("x" * MAX_TITLE_CHARACTERS, "x" * MAX_MESSAGE_CHARACTERS)
    assert (await service.post(longest, ALICE)).offset == 1


@pytest.mark.parametrize(
    "params", [{"title": "x", "level": "fatal"}, {"title": "x", "to": "bob"}, {"message": "x"}, {}]
)
async def test_params_of_another_form_are_invalid(params: dict[str, Any]) -> None:
    _, stage = make()
    client = await opened(stage.hub)
    assert code_of(await client.ask(1, "notifications.post", params)) == "invalid"


async def test_the_newest_of_both_kinds_are_listed_oldest_first() -> None:
    service, stage = make()
    for number in range(6):
        await service.post(NotifyParams(str(number), to="all" if number % 2 else "me"), ALICE)
        stage.clock.advance(1)
    assert titles(await service.list(ListParams(limit=4), ALICE)) == ["2", "3", "4", "5"]


@pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1])
async def test_a_list_of_no_or_too_many_is_invalid(limit: int) -> None:
    service, _ = make()
    with pytest.raises(HubError) as caught:
        await service.list(ListParams(limit), ALICE)
    assert caught.value.code is Code.INVALID


async def test_what_is_read_is_told_and_counted_though_it_is_not_listed() -> None:
    service, _ = make()
    for number in range(5):
        await service.post(NotifyParams(str(number)), ALICE)
        await service.post(NotifyParams(f"all {number}", to="all"), BOB)
    assert (await service.list(ListParams(limit=1), ALICE)).unread == 10
    await service.read(ReadMarker(me=3, all=1), ALICE)
    listed = await service.list(ListParams(), ALICE)
    assert listed.unread == 6
    assert {(item.topic, item.offset) for item in listed.items if item.read} == {(ME, 1), (ME, 2), (ME, 3), (ALL, 1)}
    assert (await service.list(ListParams(), BOB)).unread == 5


async def post_some(service: NotificationsService, number: int = 5) -> None:
    """So many to Alice, and to everybody."""
    for n in range(number):
        await service.post(NotifyParams(str(n)), ALICE)
        await service.post(NotifyParams(f"all {n}", to="all"), BOB)


async def test_a_marker_never_goes_back() -> None:
    service, _ = make()
    await post_some(service)
    for marker, expected in [
        (ReadMarker(3, 1), ReadMarker(3, 1)),
        (ReadMarker(2, 5), ReadMarker(3, 5)),
        (ReadMarker(-7, -7), ReadMarker(3, 5)),
        (ReadMarker(), ReadMarker(3, 5)),
    ]:
        assert await service.read(marker, ALICE) == expected
    assert await service.read(ReadMarker(), BOB) == ReadMarker()


async def test_a_marker_never_goes_back_though_two_windows_read_at_once() -> None:
    service, stage = make()
    await post_some(service)
    stage.values.before = lambda operation: turns(2)
    await asyncio.gather(service.read(ReadMarker(me=5), ALICE), service.read(ReadMarker(me=3, all=2), ALICE))
    assert await service.read(ReadMarker(), ALICE) == ReadMarker(me=5, all=2)


async def test_nobody_has_read_what_is_not_there_yet() -> None:
    service, _ = make()
    await post_some(service, 2)
    assert await service.read(ReadMarker(1000, 1000), ALICE) == ReadMarker(2, 2)
    await service.post(NotifyParams("new"), ALICE)
    assert (await service.list(ListParams(), ALICE)).unread == 1


async def test_a_marker_that_moved_is_told_to_the_users_other_windows_and_to_nobody_else() -> None:
    service, stage = make()
    alice, bob = await opened(stage.hub, ALICE), await opened(stage.hub, BOB)
    for client in (alice, bob):
        await client.subscribe(1, ME)
    await post_some(service, 2)
    for client in (alice, bob):
        await client.read()
    for _ in range(2):
        await service.read(ReadMarker(me=2), ALICE)
    (event,) = only(Event, await alice.read())
    assert (event.kind, msgspec.json.decode(event.data, type=ReadMarker)) == ("read", ReadMarker(me=2))
    assert only(Event, await bob.read()) == []


async def test_a_marker_in_the_log_is_no_notification() -> None:
    service, _ = make()
    await service.post(NotifyParams("one"), ALICE)
    await service.read(ReadMarker(me=1), ALICE)
    await service.post(NotifyParams("two"), ALICE)
    listed = await service.list(ListParams(), ALICE)
    assert titles(listed) == ["one", "two"]
    assert listed.unread == 1


async def test_what_was_dismissed_is_gone_in_all_windows_of_this_user_only() -> None:
    service, stage = make()
    alice, bob = await opened(stage.hub, ALICE), await opened(stage.hub, BOB)
    posted = await service.post(NotifyParams("maintenance", to="all"), BOB)
    for client in (alice, bob):
        await client.subscribe(1, ME)
    for _ in range(2):
        assert await service.dismiss(Dismissed(posted.id), ALICE) == Dismissed(posted.id)
    (event,) = only(Event, await alice.read())
    expected = Dismissed(posted.id, "notifications/all", 1)
    assert (event.kind, msgspec.json.decode(event.data, type=Dismissed)) == ("dismissed", expected)
    assert only(Event, await bob.read()) == []
    assert (await service.list(ListParams(), ALICE)) == Notifications([], 0)
    assert (await service.list(ListParams(), BOB)).unread == 1


async def test_too_many_at_a_time_are_refused_with_when_to_come_back_and_only_for_who_posts_them() -> None:
    service, stage = make()
    for number in range(int(stage.context.notices.burst)):
        await service.post(NotifyParams(str(number)), ALICE)
    with pytest.raises(HubError) as caught:
        await service.post(NotifyParams("one more"), ALICE)
    assert (caught.value.code, caught.value.retry_after_ms) == (Code.RATE_LIMITED, 50)
    await service.post(NotifyParams("mine"), BOB)
    stage.clock.advance(0.05)
    await service.post(NotifyParams("one more"), ALICE)


async def test_who_may_not_notify_everybody_does_not_use_up_anything() -> None:
    service, stage = make()
    carol = fake_peer("carol", denied=[EXECUTE])
    for _ in range(int(stage.context.notices.burst) + 1):
        with pytest.raises(HubError) as caught:
            await service.post(NotifyParams("x", to="all"), carol)
        assert caught.value.code is Code.FORBIDDEN
    await service.post(NotifyParams("x"), carol)


async def test_what_waits_to_be_told_is_told_at_the_end() -> None:
    service, _ = make()
    await service.start()
    await service.post(NotifyParams("works", id="n1", progress=0), ALICE)
    await service.post(NotifyParams("works", id="n1", progress=0.5), ALICE)
    await service.stop()
    (item,) = (await service.list(ListParams(), ALICE)).items
    assert item.notification.progress == 0.5
