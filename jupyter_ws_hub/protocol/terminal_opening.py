"""What a terminal's client says in the query of its URL, so that the server's first flight can already answer it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from .codes import Code
from .errors import RemoteProtocolError
from .terminal import EPOCH_BYTES, MAX_WINDOW_BYTES, MIN_WINDOW_BYTES, WINDOW_BYTES

CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
EPOCH: Final = re.compile(f"[0-9a-f]{{{2 * EPOCH_BYTES}}}")
MAX_SIZE: Final = 0xFFFF
MAX_BYTE_OFFSET: Final = 2**53
"""What JavaScript counts exactly."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of one connection; PROTOCOL.md says what they mean."""

    client: str | None = None
    epoch: str | None = None
    have: int = 0
    sent: int = 0
    rows: int = 0
    columns: int = 0
    visible: bool = True
    window: int = WINDOW_BYTES
    history: int = MAX_BYTE_OFFSET

    def to_query(self) -> dict[str, str]:
        """The parameters that are not what they are by default."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        differing = {name: value for name, value in given.items() if value != getattr(DEFAULTS, name)}
        return {name: str(int(value)) if isinstance(value, int) else value for name, value in differing.items()}


DEFAULTS: Final = Opening()


def _number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and int(text) <= most):
        raise RemoteProtocolError(Code.INVALID, f"The parameter {name} is a number from 0 to {most}.")
    return int(text)


def _word(query: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str | None:
    text = query.get(name)
    if text is not None and not pattern.fullmatch(text):
        raise RemoteProtocolError(Code.INVALID, f"The parameter {name} is not of the form {pattern.pattern}.")
    return text


def parse_opening(query: Mapping[str, str]) -> Opening:
    """Read the parameters of a URL; what is not known is ignored.

    Raises:
        RemoteProtocolError: `invalid`, with the name of the parameter.
    """
    window = _number(query, "window", WINDOW_BYTES, MAX_BYTE_OFFSET)
    return Opening(
        client=_word(query, "client", CLIENT_ID),
        epoch=_word(query, "epoch", EPOCH),
        have=_number(query, "have", 0, MAX_BYTE_OFFSET),
        sent=_number(query, "sent", 0, MAX_BYTE_OFFSET),
        rows=_number(query, "rows", 0, MAX_SIZE),
        columns=_number(query, "columns", 0, MAX_SIZE),
        visible=_number(query, "visible", 1, 1) == 1,
        window=min(max(window, MIN_WINDOW_BYTES), MAX_WINDOW_BYTES),
        history=_number(query, "history", MAX_BYTE_OFFSET, MAX_BYTE_OFFSET),
    )
