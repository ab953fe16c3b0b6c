"""The board: updates, their pace, expiry, reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from jupyter_ws_hub.notices.board import ALL, MAX_SHELVES, ME, Board, Notifications
from jupyter_ws_hub.notices.notification import Dismissed, Notification, NotifyParams, ReadMarker
from jupyter_ws_hub.notices.update import REPEAT_MS
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.services.notifications import NotificationsService
from jupyter_ws_hub.storage.base import Draft

from ..support.fakes import Stage, until

KEY = f"{ME}//alice"
NIGHT_S = 86_400.0
Update = Callable[..., NotifyParams]


def make() -> tuple[Board, Stage]:
    """A board on a hub of fakes."""
    stage = Stage(NotificationsService())
    return Board(stage.storage, stage.hub.topics.publish, stage.runtime), stage


def train(progress: float | None, message: str = "", **more: Any) -> NotifyParams:
    """How a training is."""
    return NotifyParams("training", message, id="t", progress=progress, **more)


def backup(message: str = "The disk is full.", **more: Any) -> NotifyParams:
    """How a job of every night tells of itself."""
    return NotifyParams("Backup", message, "error", id="backup", **more)


async def stored(stage: Stage, key: str = KEY) -> list[Notification]:
    """All versions that the log still has."""
    records = await stage.log.read(key, 0, 1000)
    return [msgspec.json.decode(r.data, type=Notification) for r in records if r.kind == "notification"]


async def post(board: Board, stage: Stage, params: NotifyParams, after_s: float = 60) -> None:
    """Post when so much time has passed."""
    stage.clock.advance(after_s)
    await board.post(params, "alice", "Alice")


async def unread(board: Board) -> int:
    """How many Alice has not read."""
    return (await board.newest("alice", 50)).unread


async def test_an_update_keeps_when_it_was_posted_and_takes_all_else_from_the_newest() -> None:
    board, stage = make()
    began_ms = stage.runtime.now_ms() + 60_000
    await post(board, stage, train(0, "epoch 1", source="train.py"))
    await post(board, stage, train(0.5, "epoch 2"))
    (item,) = (await board.newest("alice", 50)).items
    now = item.notification
    assert (now.version, now.time, now.progress, now.message, now.source) == (2, began_ms, 0.5, "epoch 2", "")
    assert [one.version for one in await stored(stage)] == [1, 2]
    await board.sweep(everything=False)
    assert [one.version for one in await stored(stage)] == [2]


async def test_many_updates_at_once_are_told_at_their_pace_and_the_last_one_always() -> None:
    board, stage = make()
    first = await board.post(train(0), "alice", "Alice")
    answers = [await board.post(train(n / 100), "alice", "Alice") for n in range(1, 101)]
    assert {answer.offset for answer in answers} == {first.offset}
    assert [one.progress for one in await stored(stage)] == [0]
    await until(lambda: board.waiting == 0)
    await board.stop()
    assert [one.progress for one in await stored(stage)] == [0, 1]


async def test_another_notification_does_not_wait_for_that_pace() -> None:
    board, stage = make()
    for id in ("a", "b"):
        await board.post(NotifyParams("x", id=id), "alice", "Alice")
        await board.post(NotifyParams("y", id=id), "bob", "Bob")
    assert len(await stored(stage)) == 2
    assert board.waiting == 0


async def test_an_update_that_goes_back_to_what_is_told_tells_nothing() -> None:
    board, stage = make()
    for params in (train(0), train(0.5), train(0)):
        await board.post(params, "alice", "Alice")
    await board.stop()
    assert [one.version for one in await stored(stage)] == [1]


async def test_updates_are_superseded_in_the_log_while_they_go_on() -> None:
    board, stage = make()
    for n in range(100):
        await post(board, stage, train(n / 100))
    assert len(await stored(stage)) <= 21


async def test_an_update_does_not_make_a_read_one_unread_but_an_error_does() -> None:
    board, stage = make()
    await post(board, stage, train(0))
    assert await unread(board) == 1
    await board.read("alice", ReadMarker(me=1))
    for params, expected in [
        (train(0.5), 0),
        (train(0.5, "loss is nan", level="warning"), 0),
        (train(None, "out of memory", level="error"), 1),
        (train(None, "out of memory, still", level="error"), 1),
    ]:
        await post(board, stage, params)
        await board.sweep(everything=False)
        assert await unread(board) == expected, params
    listed = await board.newest("alice", 50)
    await board.read("alice", ReadMarker(me=listed.items[-1].offset))
    assert await unread(board) == 0
    await post(board, stage, train(None, "the next run has failed, too", level="error"))
    assert await unread(board) == 1


async def test_one_that_was_not_read_before_its_update_is_unread_after_it() -> None:
    board, stage = make()
    await post(board, stage, train(0))
    await post(board, stage, train(1))
    assert await unread(board) == 1
    await board.read("alice", ReadMarker(me=1))
    assert await unread(board) == 0


async def test_a_new_server_knows_what_the_old_one_knew() -> None:
    board, stage = make()
    await post(board, stage, train(0))
    await board.read("alice", ReadMarker(me=1))
    await post(board, stage, train(0.5))
    await post(board, stage, NotifyParams("other", id="o"))
    await board.dismiss("alice", "o")
    await board.sweep(everything=False)
    again = Board(stage.storage, stage.hub.topics.publish, stage.runtime)
    assert await again.newest("alice", 50) == await board.newest("alice", 50)
    posted = await again.post(train(0.5), "alice", "Alice")
    assert posted.offset == (await board.newest("alice", 50)).items[0].offset
    await post(again, stage, train(0.7))
    (item,) = (await board.newest("alice", 50)).items
    assert (item.notification.version, item.read) == (3, True)


async def test_what_has_expired_is_gone_from_list_and_count_and_then_from_the_log() -> None:
    board, stage = make()
    await post(board, stage, NotifyParams("soon over", expires_in_ms=1000))
    await board.post(NotifyParams("for all", to="all", expires_in_ms=1000), "bob", "Bob")
    assert await unread(board) == 2
    stage.clock.advance(1)
    assert (await board.newest("alice", 50)).items == []
    assert await unread(board) == 0
    assert len(await stored(stage)) == len(await stored(stage, ALL)) == 1
    await board.sweep(everything=False)
    assert await stored(stage) == await stored(stage, ALL) == []


async def test_what_has_expired_is_removed_also_of_users_who_do_not_come_back() -> None:
    board, stage = make()
    await post(board, stage, NotifyParams("soon over", expires_in_ms=1000))
    stage.clock.advance(1)
    again = Board(stage.storage, stage.hub.topics.publish, stage.runtime)
    await again.sweep(everything=False)
    assert len(await stored(stage)) == 1
    await again.sweep(everything=True)
    assert await stored(stage) == []


async def test_what_has_expired_can_be_posted_anew() -> None:
    board, stage = make()
    for _ in range(3):
        await post(board, stage, NotifyParams("backup", id="b", expires_in_ms=1000))
        (item,) = (await board.newest("alice", 50)).items
        assert (item.notification.time, item.read) == (stage.runtime.now_ms(), False)
        await board.read("alice", ReadMarker(me=item.offset))
        await board.sweep(everything=False)


async def test_what_was_dismissed_stays_so_though_it_is_updated() -> None:
    board, stage = make()
    await post(board, stage, train(0))
    await board.dismiss("alice", "t")
    await post(board, stage, train(0.5))
    assert await board.newest("alice", 50) == Notifications([], 0, dismissed=[Dismissed("t", ME, 1)])
    await post(board, stage, train(1))
    assert await board.newest("alice", 50) == Notifications([], 0)


async def test_what_was_dismissed_comes_back_when_it_happens_again() -> None:
    board, stage = make()
    for message in ("The disk is full.", "The disk is full.", "It is full again."):
        await post(board, stage, backup(message), NIGHT_S)
        (item,) = (await board.newest("alice", 50)).items
        assert (item.notification.time, item.notification.message) == (stage.runtime.now_ms(), message)
        assert (item.read, await unread(board)) == (False, 1)
        await board.dismiss("alice", "backup")
        assert await board.newest("alice", 50) == Notifications([], 0)


async def test_what_was_dismissed_comes_back_though_it_is_posted_at_once_and_the_same() -> None:
    board, stage = make()
    await post(board, stage, backup())
    await board.dismiss("alice", "backup")
    await post(board, stage, backup(), REPEAT_MS / 1000 / 2)
    assert await unread(board) == 1


async def test_what_has_ended_and_is_posted_again_is_new_and_what_is_sent_twice_counts_once() -> None:
    board, stage = make()
    await post(board, stage, backup())
    await board.read("alice", ReadMarker(me=1))
    await post(board, stage, backup(), REPEAT_MS / 1000 / 2)
    (item,) = (await board.newest("alice", 50)).items
    assert (item.offset, item.read) == (1, True)
    await post(board, stage, backup(), NIGHT_S)
    (item,) = (await board.newest("alice", 50)).items
    assert (item.notification.time, item.read) == (stage.runtime.now_ms(), False)


async def test_the_failure_of_what_was_dismissed_while_it_ran_comes_back_and_its_success_does_not() -> None:
    for end, expected in [(train(1, level="success"), 0), (train(None, "loss is nan", level="error"), 1)]:
        board, stage = make()
        await post(board, stage, train(0))
        await board.dismiss("alice", "t")
        await post(board, stage, train(0.5))
        await post(board, stage, end)
        assert await unread(board) == expected, end
        await post(board, stage, train(0))
        assert await unread(board) == 1, "another run"


async def test_what_is_dismissed_is_what_was_seen() -> None:
    board, stage = make()
    await post(board, stage, train(0.5))
    await post(board, stage, train(None, "loss is nan", level="error"))
    await board.dismiss("alice", "t", ME, 1)
    assert await unread(board) == 1
    await board.dismiss("alice", "t", ME, 2)
    assert await unread(board) == 0


async def test_what_is_for_one_and_what_is_for_all_are_dismissed_apart() -> None:
    board, stage = make()
    await post(board, stage, backup("mine"))
    await post(board, stage, backup("everybody's", to="all"))
    await board.dismiss("alice", "backup", ME)
    assert [item.notification.message for item in (await board.newest("alice", 50)).items] == ["everybody's"]
    await board.dismiss("alice", "backup")
    assert await unread(board) == 0


async def test_what_an_older_server_has_kept_of_dismissals_counts_for_what_it_has_posted() -> None:
    board, stage = make()
    old = {"id": "backup", "level": "error", "title": "Backup", "message": "", "sender": "a", "time": 1}
    await stage.log.append(KEY, [Draft("e1", "notification", 0, msgspec.json.encode(old))])
    await stage.values.put("notifications/read/alice", b'{"me":1,"dismissed":["backup","gone"]}', expect=0)
    assert await board.newest("alice", 50) == Notifications([], 0, ReadMarker(1, 0))
    await post(board, stage, backup())
    assert await unread(board) == 1
    await board.dismiss("alice", "backup")
    assert await unread(board) == 0


async def test_what_expired_after_updates_can_be_posted_anew_before_it_is_swept() -> None:
    board, stage = make()
    for progress in (0, 0.3, 0.6):
        await post(board, stage, train(progress, expires_in_ms=70_000))
    await post(board, stage, train(0, expires_in_ms=70_000), 3600)
    (item,) = (await board.newest("alice", 50)).items
    assert (item.notification.time, item.notification.progress) == (stage.runtime.now_ms(), 0)


async def test_a_list_says_how_far_its_user_has_read() -> None:
    board, stage = make()
    await post(board, stage, train(0))
    await board.read("alice", ReadMarker(me=1))
    assert (await board.newest("alice", 50)).marker == ReadMarker(me=1)


async def test_nothing_is_kept_of_dismissing_what_is_not_there() -> None:
    board, stage = make()
    await board.dismiss("alice", "x" * 1000)
    assert await stage.values.scan("") == {}
    assert (await stage.log.head(KEY)).offset == 0


async def test_an_update_that_cannot_be_stored_is_told_of_in_the_log_file(caplog: pytest.LogCaptureFixture) -> None:
    board, stage = make()
    await board.post(train(0), "alice", "Alice")
    await board.post(train(0.5), "alice", "Alice")

    async def full(operation: str) -> None:
        raise HubError(Code.NO_SPACE, "The disk is full.")

    stage.log.before = full
    await board.stop()
    assert "An update of a notification is lost" in caplog.text
    assert board.waiting == 0


async def test_many_users_do_not_stay_in_memory() -> None:
    board, _ = make()
    for number in range(MAX_SHELVES * 2):
        await board.post(NotifyParams("x", id="x"), f"user{number}", "somebody")
    assert len(board._shelves) <= MAX_SHELVES
    assert (await board.newest("user0", 50)).unread == 1
