"""What posting under an id that is there makes of it: nothing, an update of what goes on, or a new one. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from .notification import Notification
from .shelf import Entry, is_over

REPEAT_MS: Final = 10_000
"""The same within this time of one that has ended is taken for that one sent twice; later it has happened again."""


def is_going(notification: Notification) -> bool:
    """Whether what it tells of is under way."""
    return notification.progress is not None and notification.progress < 1


def is_same(posted: Notification, before: Notification) -> bool:
    """Whether it says what the one before it says, though it would expire a little later."""
    own = {"sender": before.sender, "expires": before.expires, "since": before.since, "version": before.version}
    return msgspec.structs.replace(posted, time=before.time, updated=before.updated, **own) == before


def is_repeat(posted: Notification, before: Notification) -> bool:
    """Whether it is the one before it sent twice, or says of what is under way only what is known."""
    if is_over(before, posted.time) or not is_same(posted, before):
        return False
    return is_going(before) or posted.time < max(before.time, before.updated) + REPEAT_MS


def goes_on(now: Notification, then: Notification) -> bool:
    """Whether only the progress and the message are new, and it was still under way."""
    return is_going(then) and is_same(msgspec.structs.replace(now, progress=then.progress, message=then.message), then)


def follow(posted: Notification, entry: Entry) -> Notification:
    """What takes the place of `entry` when `posted` comes under its id.

    It is a new one, for who has read or dismissed the other too, where that one had ended or expired, and where it
    fails. Else it is the same one as it is now.
    """
    before, version = entry.notification, entry.notification.version + 1
    fails = posted.level == "error" and (before.level != "error" or not is_going(posted))
    if fails or not is_going(before) or is_over(before, posted.time):
        return msgspec.structs.replace(posted, version=version)
    updated = before.updated if is_going(posted) else posted.time
    return msgspec.structs.replace(posted, time=before.time, version=version, updated=updated, since=entry.counts_at)
