"""What posting again under an id makes of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from jupyter_ws_hub.notices.notification import Notification
from jupyter_ws_hub.notices.shelf import Entry
from jupyter_ws_hub.notices.update import REPEAT_MS, follow, goes_on, is_going, is_repeat, is_same


def note(time: int = 1000, progress: float | None = None, **more: Any) -> Notification:
    """A notification that was posted at a time."""
    fields: dict[str, Any] = {"id": "a", "level": "info", "title": "A", "message": "", "sender": "alice"}
    return Notification(**fields | {"updated": time} | more, time=time, progress=progress)


@pytest.mark.parametrize(("progress", "expected"), [(None, False), (0, True), (0.999, True), (1, False)])
def test_below_one_it_is_under_way(progress: float | None, expected: bool) -> None:
    assert is_going(note(progress=progress)) == expected


def test_who_sends_it_and_how_long_it_is_of_use_make_nothing_new() -> None:
    before = note(version=3, since=2, expires=5000)
    assert is_same(note(2000, sender="bob", expires=6000), before)
    assert not is_same(note(2000, message="new", expires=6000), before)


def test_the_same_at_once_was_sent_twice_and_later_has_happened_again() -> None:
    before = note(1000, updated=2000)
    assert is_repeat(note(1999 + REPEAT_MS), before)
    assert not is_repeat(note(2000 + REPEAT_MS), before)
    assert not is_repeat(note(1001, message="new"), before)
    assert not is_repeat(note(1001, expires=9000), note(1000, expires=1001)), "it has expired"


def test_of_what_is_under_way_the_same_is_never_news() -> None:
    assert is_repeat(note(10**9, progress=0.5), note(progress=0.5))


def test_what_only_goes_on_has_another_progress_and_message() -> None:
    going = note(progress=0.5)
    assert goes_on(note(2000, progress=0.6, message="x"), going)
    assert goes_on(note(2000, progress=1), going)
    assert not goes_on(note(2000, progress=0.6, level="warning"), going)
    assert not goes_on(note(2000, progress=0.6), note(progress=1))


@pytest.mark.parametrize(
    "posted",
    [note(2000, progress=0.6), note(2000, progress=0.6, level="warning", title="B")],
)
def test_an_update_of_what_is_under_way_is_no_news(posted: Notification) -> None:
    now = follow(posted, Entry(7, note(progress=0.5, version=2, since=4)))
    assert now == msgspec.structs.replace(posted, time=1000, updated=1000, version=3, since=4)


@pytest.mark.parametrize("posted", [note(2000, progress=1), note(2000, level="warning")])
def test_that_it_has_ended_is_news_of_the_same_one(posted: Notification) -> None:
    now = follow(posted, Entry(7, note(progress=0.5)))
    assert now == msgspec.structs.replace(posted, time=1000, updated=2000, version=2, since=7)


@pytest.mark.parametrize(
    ("posted", "before"),
    [
        (note(2000, level="error"), note(progress=0.5)),
        (note(2000, progress=0.5, level="error"), note(progress=0.5)),
        (note(2000, level="error"), note(progress=0.5, level="error")),
        (note(2000), note()),
        (note(2000, progress=0), note(progress=1)),
        (note(2000, progress=0), note(progress=0.5, expires=2000)),
    ],
)
def test_a_failure_and_what_comes_after_the_end_are_new(posted: Notification, before: Notification) -> None:
    now = follow(posted, Entry(7, msgspec.structs.replace(before, version=4, since=3)))
    assert now == msgspec.structs.replace(posted, version=5)


def test_what_fails_and_goes_on_fails_once() -> None:
    now = follow(note(2000, progress=0.6, level="error"), Entry(7, note(progress=0.5, level="error")))
    assert (now.time, now.since) == (1000, 7)
