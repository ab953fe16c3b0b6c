"""The errors of the protocol: one class that carries a row of the code table, and who was at fault."""

from __future__ import annotations

from typing import Any

import msgspec

from .codes import Code


class ErrorInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as it stands on the wire."""

    code: str
    """A name of the code table, such as `not_found`."""
    message: str
    """What happened, where, and what to do: one sentence for a person."""
    retryable: bool
    retry_after_ms: int | None = None
    details: dict[str, Any] | None = None


class HubError(Exception):
    """Something went wrong that the peer is told about: a row of the table and a sentence for a person."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        retry_after_ms: int | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        """Take the row, the sentence and, where they help, when to try again and what exactly."""
        super().__init__(f"{code.wire_name}: {message}")
        self.code = code
        self.message = message
        self.retry_after_ms = retry_after_ms
        self.details = details

    @property
    def info(self) -> ErrorInfo:
        """The error as it goes on the wire."""
        return ErrorInfo(self.code.wire_name, self.message, self.code.retryable, self.retry_after_ms, self.details)


class RemoteProtocolError(HubError):
    """The peer broke the protocol; the connection ends with the error's close code."""


class LocalProtocolError(HubError):
    """This side tried something that the protocol does not allow in its state: a bug of ours."""
