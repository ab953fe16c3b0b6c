"""Makes operations, and ends those that nobody needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError
from .transfer_command import Job

BUSY_S: Final = 1.0
CANCEL_S: Final = 2.0
GONE: Final = frozenset({Code.NOT_FOUND, Code.CANCELLED, Code.CONFLICT, Code.DIGEST_MISMATCH})
"""What a remembered operation may answer that a new one does not."""


class Created(msgspec.Struct, frozen=True):
    """What is needed of the answer to `transfers.create`."""

    op: str
    size: int
    etag: str | None = None
    entries: int = 0


async def create(job: Job, params: dict[str, Any], notice: Callable[[str], None]) -> Created:
    """`transfers.create`, until there is room for another transfer; one whose reply was lost is left to expire.

    Raises:
        HubError: it is refused.
    """
    while True:
        try:
            made = await job.hub.request("transfers.create", params, Created, idempotent=False)
        except HubError as error:
            if not error.code.retryable and error.code is not Code.UNKNOWN_OUTCOME:
                raise
            notice(error.message)
            await asyncio.sleep((error.retry_after_ms or 0) / 1000 or BUSY_S)
        else:
            notice("")
            return made


async def cancel(job: Job, op: str) -> None:
    """End an operation, if that is possible soon; else it expires."""
    try:
        async with asyncio.timeout(CANCEL_S):
            await job.hub.request("transfers.cancel", {"op": op}, dict[str, Any])
    except (HubError, TimeoutError):
        return


def key_of(job: Job, *what: object) -> tuple[object, ...]:
    """What an upload is remembered by."""
    return (job.server.url, *what, job.if_exists, job.digest)
