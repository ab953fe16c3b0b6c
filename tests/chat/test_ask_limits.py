"""No more than the limits allow, for each user and for all; what is refused says when to come again, and counts not."""

from __future__ import annotations

import pytest

from jupyter_ws_hub.chat.ask_limits import AskLimits
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError

from ..support.fakes import FakeClock


def refusal(limits: AskLimits, principal: str) -> HubError:
    with pytest.raises(HubError) as refused:
        limits.check(principal)
    assert refused.value.code is Code.RATE_LIMITED
    assert refused.value.retry_after_ms
    return refused.value


def test_a_user_has_so_many_at_a_time_and_others_have_theirs() -> None:
    limits = AskLimits(10, 2, 0, FakeClock())
    limits.begin("alice")
    limits.begin("alice")
    assert "2 answers under way" in refusal(limits, "alice").message
    limits.check("bob")
    limits.end("alice")
    limits.begin("alice")
    assert limits.running == 2


def test_a_server_has_so_many_at_a_time_with_those_that_do_not_end() -> None:
    limits = AskLimits(3, 0, 0, FakeClock())
    limits.begin("alice")
    limits.begin("bob")
    limits.check("carol")
    limits.linger(1)
    assert "busy" in refusal(limits, "carol").message
    limits.linger(-1)
    limits.check("carol")


def test_who_has_asked_too_often_is_told_when_there_is_room_and_others_may_ask() -> None:
    clock = FakeClock()
    limits = AskLimits(0, 0, 4, clock)
    limits.begin("alice")
    limits.end("alice")
    clock.advance(5)
    limits.begin("alice")
    assert limits.running == 1
    refused = refusal(limits, "alice")
    assert refused.retry_after_ms == 10_000 and "4 times a minute; wait 10 s" in refused.message
    limits.check("bob")
    clock.advance(10)
    limits.begin("alice")
    assert refusal(limits, "alice").retry_after_ms == 15_000


def test_what_is_refused_does_not_count() -> None:
    clock = FakeClock()
    limits = AskLimits(1, 0, 2, clock)
    limits.begin("alice")
    for _ in range(10):
        with pytest.raises(HubError):
            limits.begin("bob")
    limits.end("alice")
    limits.begin("bob")
