"""The one table of what can go wrong, for all endpoints.

A row gives the name that an error on the wire carries, the number that a close frame carries, what it means
and whether trying again can help. The number's range is the verdict: 4000-4499 reconnect with backoff,
4500-4999 do not. Nothing here knows who sends or receives.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

RETRY_RANGE: Final = range(4000, 4500)
FINAL_RANGE: Final = range(4500, 5000)


class Code(IntEnum):
    """A row of the table; `Code.NAME.value` is the WebSocket close code (RFC 6455, private use 4000-4999)."""

    meaning: str

    def __new__(cls, number: int, meaning: str) -> Code:
        """Attach the meaning to the number, so that the table stands in one place."""
        member = int.__new__(cls, number)
        member._value_ = number
        member.meaning = meaning
        return member

    SHUTTING_DOWN = 4000, "the server is stopping or restarting"
    SLOW_CONSUMER = 4001, "the peer reads too slowly to be kept connected"
    HEARTBEAT_TIMEOUT = 4002, "nothing was heard from the peer for too long"
    HELLO_TIMEOUT = 4003, "the first message did not come in time"
    RATE_LIMITED = 4004, "too many messages; wait retry_after_ms"
    UNAVAILABLE = 4005, "the service cannot answer now"
    INTERNAL = 4006, "the server failed; its log has the reason"
    TIMEOUT = 4007, "the request was not answered in time"
    BUSY = 4008, "too much is under way for this session"
    NO_SPACE = 4009, "no space is left where the data should go"

    BAD_FRAME = 4500, "the frame does not follow the protocol"
    UNAUTHENTICATED = 4501, "the user is not, or no longer, logged in"
    FORBIDDEN = 4502, "the user may not do this"
    NOT_FOUND = 4503, "there is no such thing, or it is gone"
    SUPERSEDED = 4504, "a newer connection took this one's place"
    TOO_BIG = 4505, "the message is larger than the limit"
    VERSION_UNSUPPORTED = 4506, "no common version of the protocol"
    UNKNOWN_TYPE = 4507, "no message type has this name"
    UNKNOWN_METHOD = 4508, "no service has this method"
    UNKNOWN_TOPIC = 4509, "no service has this topic"
    INVALID = 4510, "a field is missing or has a wrong value"
    CANCELLED = 4511, "the request was cancelled"
    UNKNOWN_OUTCOME = 4512, "the request may have run; its outcome is not known"
    EXISTS = 4513, "something with this name exists already"
    CONFLICT = 4514, "it changed meanwhile; the request did not expect that"
    WRONG_OFFSET = 4515, "the data does not continue where it must"
    DIGEST_MISMATCH = 4516, "the data that arrived is not the data that was sent"
    SOURCE_CHANGED = 4517, "the file changed while it was read"
    UNSUPPORTED = 4518, "this server cannot do that"
    PAUSED = 4519, "it was paused on purpose; it goes on when it is resumed"

    @property
    def wire_name(self) -> str:
        """The name that errors carry in their `code` field, such as `not_found`."""
        return self.name.lower()

    @property
    def retryable(self) -> bool:
        """Whether the same thing, tried again later, can succeed."""
        return self.value in RETRY_RANGE


NORMAL_CLOSURE: Final = 1000
"""Sent only after a real end (`bye`, a terminal's exit, a finished transfer). Source: RFC 6455, 7.4.1."""

GOING_AWAY: Final = 1001
SERVICE_RESTART: Final = 1012
TRY_AGAIN_LATER: Final = 1013
"""1012 and 1013 stand in the IANA registry of WebSocket close codes; both mean: reconnect."""


def may_reconnect(close_code: int) -> bool:
    """Say whether a client may reconnect after a socket closed with `close_code`.

    Only a real end (1000) and the final range say no; an abnormal end (1006), 1001, 1012 and 1013 say yes.
    """
    return close_code != NORMAL_CLOSURE and close_code not in FINAL_RANGE
