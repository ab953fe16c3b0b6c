"""What a declaration of a topic says about names and logs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.hub.declare import Lane, Topic

from .client import READ, Note

EVENTS = {"note": Note}
ROOM = Topic("chat/*", EVENTS, READ)
STATUS = Topic("status", EVENTS, READ)
INBOX = Topic("inbox/me", EVENTS, READ)


def test_a_topic_matches_its_own_name_only() -> None:
    assert STATUS.matches("status")
    assert not any(STATUS.matches(name) for name in ("", "statu", "status/", "status/x", "x/status", "STATUS"))


@given(st.text(min_size=1).filter(lambda name: "/" not in name))
def test_a_family_matches_one_segment_of_any_name(segment: str) -> None:
    assert ROOM.matches(f"chat/{segment}")
    assert not ROOM.matches(f"chat/{segment}/{segment}")
    assert not ROOM.matches(f"chat/{segment}/")
    assert not ROOM.matches(f"x/chat/{segment}")
    assert not ROOM.matches(segment)


def test_a_family_has_no_member_without_a_name() -> None:
    assert not ROOM.matches("chat/")
    assert not ROOM.matches("chat")


def test_a_common_topic_has_one_log_for_everybody() -> None:
    assert not ROOM.personal
    assert ROOM.key("chat/a", "alice") == ROOM.key("chat/a", "bob") == ROOM.key("chat/a", None) == "chat/a"


@given(st.text(), st.text())
def test_a_personal_topic_has_a_log_for_each_principal(one: str, other: str) -> None:
    assert INBOX.personal
    assert (INBOX.key("inbox/me", one) == INBOX.key("inbox/me", other)) == (one == other)


def test_a_personal_topic_has_no_log_without_a_principal() -> None:
    with pytest.raises(ValueError, match="inbox/me"):
        INBOX.key("inbox/me", None)


def test_no_member_of_a_family_shares_its_log_with_a_personal_topic() -> None:
    family = Topic("inbox/*", EVENTS, READ)
    secret = INBOX.key("inbox/me", "alice")
    assert not family.matches(secret) or family.key(secret, "mallory") != secret


def test_lanes_are_ordered_by_urgency() -> None:
    assert sorted(Lane, reverse=True) == [Lane.BULK, Lane.NORMAL, Lane.INTERACTIVE, Lane.CONTROL]
